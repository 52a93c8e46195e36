import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { waitForCount } from '../../support/wait-until.ts';
import { uploadFile } from '../support/slots.ts';

/** Continuous uploads that survive failures of the servers. */
export interface UploadTraffic {
  /** Links of all uploads answered with 201. */
  readonly stored: readonly string[];
  /** Waits for `count` more uploads; fails if none succeeds for two minutes. */
  waitForMore(count: number): Promise<void>;
  stop(): Promise<void>;
}

const STREAMS = 4;

/** Each stream uploads one file after another, rotating over the servers. */
export function startUploadTraffic(urls: readonly string[], body: Buffer, ca?: string): UploadTraffic {
  const stored: string[] = [];
  let stopping = false;
  let next = 0;
  const stream = async () => {
    while (!stopping) {
      next += 1;
      const url = urls[next % urls.length] ?? '';
      // An upload without a 201 was not acknowledged and is sent again.
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
      await waitForCount('uploads', () => stored.length, wanted);
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

/** Checks that every link serves these bytes. */
export async function assertAllReadable(links: readonly string[], body: Buffer, ca?: string): Promise<void> {
  for (const link of links) {
    const answer = await httpRequest(link, ca === undefined ? {} : { ca });
    assert.equal(answer.status, 200, link);
    assert.ok(answer.body.equals(body), link);
  }
}
