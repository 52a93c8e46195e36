import assert from 'node:assert/strict';
import { type HttpResponse, httpRequest, openRequest, readResponse } from '../../support/http.ts';
import type { PorterProcess } from './porter-process.ts';

/** Lets everybody of this machine ask for slots, without limits. */
export const openSlotConfig = { slot_api: {}, access: [{ jid: '.*' }] };

export interface SlotOptions {
  /** Bytes. */
  readonly size: number;
  readonly jid?: string;
  readonly name?: string;
  readonly type?: string;
  /** The certificate to believe, PEM. */
  readonly ca?: string;
}

/** The links of a slot. */
export interface Slot {
  readonly put: string;
  readonly get: string;
}

/** The slot API's answer, whatever it is. */
export function sendSlotRequest(
  { url }: Pick<PorterProcess, 'url'>,
  wish: SlotOptions,
): Promise<HttpResponse> {
  const { jid = 'romeo@example.org', name = 'picture.jpg', size, type, ca } = wish;
  const query = new URLSearchParams({ jid, name, size: String(size), ...(type && { content_type: type }) });
  return httpRequest(`${url}/slot/?${query}`, ca === undefined ? {} : { ca });
}

export async function getSlot(porter: Pick<PorterProcess, 'url'>, wish: SlotOptions): Promise<Slot> {
  const { status, text } = await sendSlotRequest(porter, wish);
  assert.equal(status, 200, text);
  const [put = '', get = ''] = text.split('\n');
  return { put, get };
}

/** Slot and PUT; the download link. */
export async function uploadFile(
  porter: Pick<PorterProcess, 'url'>,
  body: Buffer,
  wish: Omit<SlotOptions, 'size'> = {},
): Promise<string> {
  const { put, get } = await getSlot(porter, { ...wish, size: body.length });
  const { status, text } = await httpRequest(put, { method: 'PUT', body, ...(wish.ca && { ca: wish.ca }) });
  assert.equal(status, 201, text);
  return get;
}

/** Waits until the server has so many uploads or downloads under way. */
export function waitForTransfers({ url, program }: PorterProcess, count: number): Promise<void> {
  const line = new RegExp(`^porter_transfers ${count}$`, 'm');
  return program.waitFor(`${count} transfers`, async () =>
    line.test((await httpRequest(`${url}/metrics`)).text),
  );
}

/** A PUT that stands still after its first part. */
export interface PausedPut {
  /** Sends the rest. */
  finish(): Promise<HttpResponse>;
  /** Hangs up. */
  destroy(): void;
}

/** Starts a PUT, and resolves once `sent` bytes of the body have left this process. */
export async function startPut(link: string, body: Buffer, sent: number): Promise<PausedPut> {
  const request = openRequest(link, { method: 'PUT', headers: { 'Content-Length': body.length } });
  const answer = readResponse(request);
  // Whoever cuts it off, or kills the server, does not ask for the answer.
  answer.catch(() => undefined);
  await new Promise((resolve) => request.write(body.subarray(0, sent), resolve));
  return {
    finish() {
      request.end(body.subarray(sent));
      return answer;
    },
    destroy: () => request.destroy(),
  };
}
