import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { sendS3Error, startFakeS3 } from './fake-s3.ts';

const KEY = 'ab/abcdef.bin';
const PART = 5 * 1024 * 1024;

async function* bytes(count: number): AsyncGenerator<Buffer[]> {
  for (let left = count; left > 0; left -= PART) yield [Buffer.alloc(Math.min(PART, left))];
}

/** A store whose parts wait until `answer` is called for them, in any order. */
async function start(t: TestContext) {
  const waiting = new Map<number, ServerResponse>();
  let arrived = Promise.withResolvers<void>();
  let completed = '';
  const aborted: string[] = [];
  const s3 = await startFakeS3(t, (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://s3');
    const part = searchParams.get('partNumber');
    if (request.method === 'DELETE') {
      aborted.push(searchParams.get('uploadId') ?? '');
      response.writeHead(204).end();
    } else if (part !== null) {
      request.resume().on('end', () => {
        waiting.set(Number(part), response);
        arrived.resolve();
        arrived = Promise.withResolvers();
      });
    } else if (searchParams.has('uploads')) {
      response.end('<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>');
    } else {
      request.on('data', (chunk) => {
        completed += chunk;
      });
      request.on('end', () =>
        response.end('<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>'),
      );
    }
  });
  return {
    blobs: await s3.open({ partSizeBytes: PART }),
    aborted,
    completed: () => [...completed.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) => number),
    /** Resolves with the response to a part after all its bytes have arrived. */
    async part(number: number): Promise<ServerResponse> {
      for (;;) {
        const response = waiting.get(number);
        if (response) {
          waiting.delete(number);
          return response;
        }
        await arrived.promise;
      }
    },
  };
}

describe('a large blob on S3', () => {
  test('is sent in several parts at the same time, and completed in their order', async (t) => {
    const s3 = await start(t);
    const size = 4 * PART;
    const written = s3.blobs.put(KEY, bytes(size), size);
    // None of them is answered before the third one has arrived.
    for (const number of [3, 2, 1]) (await s3.part(number)).setHeader('ETag', `"${number}"`).end();
    (await s3.part(4)).setHeader('ETag', '"4"').end();
    assert.equal(await written, size);
    assert.deepEqual(s3.completed(), ['1', '2', '3', '4']);
  });

  test('is aborted as a whole if one of its parts fails', async (t) => {
    const s3 = await start(t);
    const size = 4 * PART;
    const written = s3.blobs.put(KEY, bytes(size), size);
    const [, second] = await Promise.all([s3.part(1), s3.part(2), s3.part(3)]);
    sendS3Error(second, 403, 'AccessDenied');
    // The SDK repeats the request and reads the reason.
    sendS3Error(await s3.part(2), 403, 'AccessDenied');
    await assert.rejects(written, { kind: 'denied' });
    assert.deepEqual(s3.aborted, ['id']);
    assert.deepEqual(s3.completed(), []);
  });
});
