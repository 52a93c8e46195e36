import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { uploadFile } from '../support/slots.ts';

/** Uploads without end, whatever happens to the servers. */
export interface UploadTraffic {
  /** Links of all that was answered 201. */
  readonly stored: readonly string[];
  /** Waits for so many more. */
  waitForMore(count: number): Promise<void>;
  stop(): Promise<void>;
}

const STREAMS = 4;

/** Each stream stores one file after the other, at one server after the other. */
export function startUploadTraffic(urls: readonly string[], body: Buffer, ca?: string): UploadTraffic {
  const stored: string[] = [];
  let stopping = false;
  let turn = 0;
  const stream = async () => {
    while (!stopping) {
      turn += 1;
      const url = urls[turn % urls.length] ?? '';
      // Whoever gets no 201 does it again: nothing was promised.
      await uploadFile({ url }, body, ca === undefined ? {} : { ca }).then(
        (get) => stored.push(get),
        () => sleep(10),
      );
    }
  };
  const running = Array.from({ length: STREAMS }, stream);
  return {
    stored,
    async waitForMore(count) {
      const wanted = stored.length + count;
      for (let tries = 0; stored.length < wanted; tries += 1) {
        if (tries > 6000) throw new Error(`no more than ${stored.length} of ${wanted} uploads were stored`);
        await sleep(10);
      }
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

/** Every one of these links gives these bytes. */
export async function assertAllReadable(links: readonly string[], body: Buffer, ca?: string): Promise<void> {
  for (const link of links) {
    const answer = await httpRequest(link, ca === undefined ? {} : { ca });
    assert.equal(answer.status, 200, link);
    assert.ok(answer.body.equals(body), link);
  }
}
