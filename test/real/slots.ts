import assert from 'node:assert/strict';
import { type Answer, answerOf, ask, open } from './ask.ts';
import type { RunningPorter } from './porter.ts';

/** Lets everybody of this machine ask for slots, without limits. */
export const openHouse = { slot_api: {}, access: [{ jid: '.*' }] };

export interface SlotWish {
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
export function requestSlot({ url }: Pick<RunningPorter, 'url'>, wish: SlotWish): Promise<Answer> {
  const { jid = 'romeo@example.org', name = 'picture.jpg', size, type, ca } = wish;
  const query = new URLSearchParams({ jid, name, size: String(size), ...(type && { content_type: type }) });
  return ask(`${url}/slot/?${query}`, ca === undefined ? {} : { ca });
}

export async function askSlot(porter: Pick<RunningPorter, 'url'>, wish: SlotWish): Promise<Slot> {
  const { status, text } = await requestSlot(porter, wish);
  assert.equal(status, 200, text);
  const [put = '', get = ''] = text.split('\n');
  return { put, get };
}

/** Slot and PUT; the download link. */
export async function store(
  porter: Pick<RunningPorter, 'url'>,
  body: Buffer,
  wish: Omit<SlotWish, 'size'> = {},
): Promise<string> {
  const { put, get } = await askSlot(porter, { ...wish, size: body.length });
  const { status, text } = await ask(put, { method: 'PUT', body, ...(wish.ca && { ca: wish.ca }) });
  assert.equal(status, 201, text);
  return get;
}

/** Waits until the server has so many uploads or downloads under way. */
export function underWay({ url, program }: RunningPorter, count: number): Promise<void> {
  const line = new RegExp(`^porter_transfers ${count}$`, 'm');
  return program.until(`${count} transfers`, async () => line.test((await ask(`${url}/metrics`)).text));
}

/** A PUT that stands still after its first part. */
export interface Stalled {
  /** Sends the rest. */
  finish(): Promise<Answer>;
  /** Hangs up. */
  cut(): void;
}

/** Starts a PUT, and resolves once `sent` bytes of the body have left this process. */
export async function beginPut(link: string, body: Buffer, sent: number): Promise<Stalled> {
  const request = open(link, { method: 'PUT', headers: { 'Content-Length': body.length } });
  const answer = answerOf(request);
  // Whoever cuts it off, or kills the server, does not ask for the answer.
  answer.catch(() => undefined);
  await new Promise((resolve) => request.write(body.subarray(0, sent), resolve));
  return {
    finish() {
      request.end(body.subarray(sent));
      return answer;
    },
    cut: () => request.destroy(),
  };
}
