import assert from 'node:assert/strict';
import { type HttpResponse, httpRequest, openRequest, readResponse } from '../../support/http.ts';
import type { PorterProcess } from './porter-process.ts';

/** A config whose slot API grants slots to local clients without limits. */
export const openSlotConfig = { slot_api: {}, access: [{ jid: '.*' }] };

export interface SlotOptions {
  /** Bytes. */
  readonly size: number;
  readonly jid?: string;
  readonly name?: string;
  readonly type?: string;
  /** The trusted certificate, PEM. */
  readonly ca?: string;
}

/** The links of a slot. */
export interface Slot {
  readonly put: string;
  readonly get: string;
}

/** Requests a slot and returns the response, whatever its status. */
export function sendSlotRequest(
  { url }: Pick<PorterProcess, 'url'>,
  options: SlotOptions,
): Promise<HttpResponse> {
  const { jid = 'romeo@example.org', name = 'picture.jpg', size, type, ca } = options;
  const query = new URLSearchParams({ jid, name, size: String(size), ...(type && { content_type: type }) });
  return httpRequest(`${url}/slot/?${query}`, ca === undefined ? {} : { ca });
}

export async function getSlot(porter: Pick<PorterProcess, 'url'>, options: SlotOptions): Promise<Slot> {
  const { status, text } = await sendSlotRequest(porter, options);
  assert.equal(status, 200, text);
  const [put = '', get = ''] = text.split('\n');
  return { put, get };
}

/** Requests a slot, uploads the file and returns the download link. */
export async function uploadFile(
  porter: Pick<PorterProcess, 'url'>,
  body: Buffer,
  options: Omit<SlotOptions, 'size'> = {},
): Promise<string> {
  const { put, get } = await getSlot(porter, { ...options, size: body.length });
  const { status, text } = await httpRequest(put, {
    method: 'PUT',
    body,
    ...(options.ca && { ca: options.ca }),
  });
  assert.equal(status, 201, text);
  return get;
}

/** Waits until the server reports `count` transfers in progress. */
export function waitForTransfers({ url, program }: PorterProcess, count: number): Promise<void> {
  const line = new RegExp(`^porter_transfers ${count}$`, 'm');
  return program.waitFor(`${count} transfers`, async () =>
    line.test((await httpRequest(`${url}/metrics`)).text),
  );
}

/** A PUT that pauses after its first part. */
export interface PausedPut {
  /** Sends the remaining bytes and returns the response. */
  finish(): Promise<HttpResponse>;
  /** Closes the connection. */
  destroy(): void;
}

/** Starts a PUT, and resolves once `sent` bytes of the body are written to the socket. */
export async function startPut(link: string, body: Buffer, sent: number): Promise<PausedPut> {
  const request = openRequest(link, { method: 'PUT', headers: { 'Content-Length': body.length } });
  const answer = readResponse(request);
  // Tests that close the connection or kill the server do not wait for the response.
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
