import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sendS3Error, startFakeS3 } from './fake-s3.ts';

const KEY = 'ab/abcdef.bin';
const BYTES = Buffer.from('the bytes of a small file');

async function* oneBatch(): AsyncGenerator<Buffer[]> {
  yield [BYTES];
}

const objectRequests = (asked: readonly string[], method: string) =>
  asked.filter((line) => line === `${method} /files/${KEY}` || line.startsWith(`${method} /files/${KEY}?`));

describe('a small blob on S3', () => {
  test('is written and read with one signed request each', async (t) => {
    const seen: (string | undefined)[] = [];
    let stored = Buffer.alloc(0);
    const s3 = await startFakeS3(t, (request, response) => {
      seen.push(request.headers.authorization);
      if (request.method === 'GET') return void response.end(stored);
      request.on('data', (chunk) => {
        stored = Buffer.concat([stored, chunk]);
      });
      request.on('end', () => response.setHeader('ETag', '"1"').end());
    });
    const blobs = await s3.open();
    await blobs.put(KEY, oneBatch(), BYTES.length);
    const blob = await blobs.open(KEY);
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob?.read(0, BYTES.length) ?? []) chunks.push(Buffer.from(chunk));
    assert.deepEqual(Buffer.concat(chunks), BYTES);
    assert.equal(objectRequests(s3.asked, 'PUT').length, 1);
    assert.equal(objectRequests(s3.asked, 'GET').length, 1);
    for (const authorization of seen.slice(-2))
      assert.match(authorization ?? '', /^AWS4-HMAC-SHA256 Credential=key\//);
  });

  test('is written again by the SDK if S3 is busy or closes the connection', async (t) => {
    let puts = 0;
    const s3 = await startFakeS3(t, (request, response) => {
      request.resume().on('end', () => {
        puts += 1;
        if (puts === 1) request.socket.destroy();
        else if (puts === 2) sendS3Error(response, 503, 'SlowDown');
        else response.setHeader('ETag', '"1"').end();
      });
    });
    const blobs = await s3.open();
    await blobs.put(KEY, oneBatch(), BYTES.length);
    assert.equal(puts, 3);
  });

  test('that is missing is reported as missing', async (t) => {
    const s3 = await startFakeS3(t, (_, response) => sendS3Error(response, 404, 'NoSuchKey'));
    assert.equal(await (await s3.open()).open(KEY), undefined);
  });
});
