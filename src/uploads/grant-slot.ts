import { Refusal } from '../base/errors.ts';
import { timeOrderedId, toPutKey } from '../base/ids.ts';
import { describeInvalidJid, parseBareJid } from '../base/jid.ts';
import type { Endpoint } from '../base/upload-records.ts';
import {
  type AccessRule,
  announcedMaxFileSize,
  type UploadLimits,
  uploadLimitsFor,
} from '../policy/access.ts';
import { cleanFileName } from '../policy/file-names.ts';
import { parseFileSize } from '../policy/file-size.ts';
import { parseMediaType, UNKNOWN_TYPE, usualExtension } from '../policy/media-type.ts';
import { choosePurpose, isPurposeOffered, type Retention } from '../policy/retention.ts';
import { blobKey } from './links.ts';
import { type ReserveServices, reserveUpload } from './reserve.ts';
import type { UploadServices } from './services.ts';

/** A request for a slot, as an endpoint has parsed it from a stanza or a query. */
export interface SlotRequest {
  readonly endpoint: Endpoint;
  /** Full or bare JID of the requester. */
  readonly jid: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Null or empty if the request names none. */
  readonly type: string | null;
  /** Purpose of the file (XEP-0363 1.2.0), if the request names one. */
  readonly purpose?: string | undefined;
  /** `expire-before` of the request (XEP-0363 1.2.0), ms since 1970. */
  readonly expiresAt?: number | undefined;
}

/** The right to PUT one file once. The ledger stores only a hash of the token. */
export interface GrantedSlot {
  readonly id: string;
  readonly token: string;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly owner: string;
  readonly blob: string;
  /** The PUT must start before this time; ms since 1970. */
  readonly deadline: number;
}

type GrantServices = ReserveServices & Pick<UploadServices, 'clock'>;

/** Grants a slot and charges it to the owner's quotas. Throws a `Refusal` if a rule or a quota forbids it. */
export async function grantSlot(services: GrantServices, request: SlotRequest): Promise<GrantedSlot> {
  const start = performance.now();
  const { retention, slotTimeout, globalQuota } = services.rules();
  const { owner, rule } = authorizeUploader(services, request.jid);
  const file = parseFile(request);
  const purpose = parsePurpose(retention, file.name, request.purpose);
  const limits = uploadLimitsFor(rule, retention, purpose, globalQuota);

  const now = services.clock();
  const id = timeOrderedId(now);
  const token = timeOrderedId(now);
  const expiresAt = request.expiresAt ?? null;
  if (expiresAt !== null && expiresAt <= now) {
    throw new Refusal('bad_request', { text: 'expire-before lies in the past.' });
  }
  const blob = blobKey(id, file.name, file.type);
  const deadline = now + slotTimeout;
  const { name, size, type } = file;
  const { endpoint } = request;
  const upload = { id, owner, name, size, type, blob, deadline, locator: id, endpoint, purpose, expiresAt };
  const existing = await reserveUpload(services, { upload, rule, limits, putKey: toPutKey(token), now });
  if (existing) throw new Error(`the random id ${id} is already in use`);
  services.metrics.slotGranted(endpoint, performance.now() - start);
  return { id, token, name, size, type, owner, blob, deadline };
}

/** Returns the largest file, in bytes, that the rule of this JID allows (`max_file_size`); null = any size. */
export function maxFileSizeFor(services: Pick<UploadServices, 'rules'>, jid: string): number | null {
  const { rule } = authorizeUploader(services, jid);
  return usualLimits(services, rule).maxFileSize;
}

/**
 * Returns the size limit that clients see before they request a slot (XEP-0363 section 4): the file size limit, but at most
 * the size that fits into empty quotas. Null = any size, also for JIDs that may not upload: their slot requests fail.
 */
export function announcedMaxSizeFor(services: Pick<UploadServices, 'rules'>, jid: string): number | null {
  const decision = services.rules().access.decide(parseBareJid(jid) ?? '');
  return decision.allowed ? announcedMaxFileSize(usualLimits(services, decision.rule)) : null;
}

/** Returns the limits of a rule for uploads that name no purpose. */
function usualLimits({ rules }: Pick<UploadServices, 'rules'>, rule: AccessRule): UploadLimits {
  const { retention, globalQuota } = rules();
  return uploadLimitsFor(rule, retention, choosePurpose(retention, '', undefined), globalQuota);
}

/** Bytes; null = any. */
export interface UploadBounds {
  readonly file: number | null;
  /** All files together. */
  readonly total: number | null;
}

/** Returns the largest file and total that this JID could upload if nothing were stored. Throws `denied` if it may not upload. */
export function uploadBoundsFor(services: Pick<UploadServices, 'rules'>, jid: string): UploadBounds {
  const limits = usualLimits(services, authorizeUploader(services, jid).rule);
  return {
    file: announcedMaxFileSize(limits),
    total: announcedMaxFileSize({ ...limits, maxFileSize: null }),
  };
}

/** Returns the bare JID as the owner, and the access rule that permits it. Throws `denied` if none does. */
export function authorizeUploader(
  { rules }: Pick<UploadServices, 'rules'>,
  jid: string,
): { owner: string; rule: AccessRule } {
  const owner = requireOwner(jid);
  const decision = rules().access.decide(owner);
  if (decision.allowed) return { owner, rule: decision.rule };
  const rule = decision.index === null ? 'no access rule matches' : `access rule ${decision.index + 1}`;
  throw new Refusal('denied', { text: `${owner} may not upload files here.`, rule });
}

/** Returns the bare JID of a full or bare one, normalized. Throws `bad_request` if it is invalid. */
export function requireOwner(jid: string): string {
  const owner = parseBareJid(jid);
  if (owner === undefined) throw new Refusal('bad_request', { text: describeInvalidJid(jid) });
  return owner;
}

function parseFile(request: SlotRequest): { name: string; size: number; type: string } {
  const size = parseFileSize(request.size);
  if (typeof size !== 'number') throw new Refusal('bad_request', { text: size.problem });
  const type = request.type?.trim() ? parseMediaType(request.type) : UNKNOWN_TYPE;
  if (type === undefined) {
    throw new Refusal('bad_request', { text: 'The content type is not of the form type/subtype.' });
  }
  const extension = request.type?.trim() ? usualExtension(type) : '';
  return { name: cleanFileName(request.name, extension), size, type };
}

function parsePurpose(retention: Retention, name: string, requested: string | undefined): string {
  const purpose = choosePurpose(retention, name, requested);
  if (purpose === '' || isPurposeOffered(retention, purpose)) return purpose;
  throw new Refusal('purpose_not_offered', {
    text: `Uploads for the purpose "${purpose}" are not offered here.`,
  });
}
