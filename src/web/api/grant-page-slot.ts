import { Refusal } from '../../base/errors.ts';
import type { ClientInfo } from '../../http/common/client-info.ts';
import { grantSlot } from '../../uploads/grant-slot.ts';
import { fileUrl, putUrl } from '../../uploads/links.ts';
import type { WebServices } from '../web-services.ts';
import { downloadBase, isoTime, uploadBase } from './present.ts';

export interface PageSlotRequest {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type?: string | undefined;
  readonly purpose?: string | undefined;
  /** ISO 8601. */
  readonly expiresAt?: string | undefined;
}

/** Grants a slot for an upload from the page, and records a refusal like every other endpoint. */
export async function grantPageSlot(
  services: WebServices,
  owner: string,
  request: PageSlotRequest,
  client: ClientInfo,
) {
  const { name, size, type = null, purpose, expiresAt } = request;
  try {
    const slot = await grantSlot(services, {
      endpoint: 'web',
      jid: owner,
      name,
      size,
      type,
      purpose,
      expiresAt: expiresAt === undefined ? undefined : Date.parse(expiresAt),
    });
    return {
      id: slot.id,
      name: slot.name,
      putUrl: putUrl(uploadBase(services, client, owner), slot.token, slot.name),
      getUrl: fileUrl(services, downloadBase(services, client, owner), slot),
      contentType: slot.type,
      deadline: isoTime(slot.deadline),
    };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    services.metrics.requestRefused('web', refusal.code);
    services.refusals.add({
      kind: 'slot',
      endpoint: 'web',
      refusal,
      owner,
      name,
      size,
      client: client.address,
    });
    throw refusal;
  }
}
