import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sendS3Error, startFakeS3 } from './fake-s3.ts';

const KEY = 'ab/abcdef.bin';
const WHOLE = Buffer.alloc(300_000, 'what light through yonder window breaks ');

async function* inOne(bytes: Buffer): AsyncGenerator<Buffer[]> {
  yield [bytes];
}

describe('blobs on a faulty S3 store', () => {
  test('the start fails with the region of a bucket in another region', async (t) => {
    const wrong = await startFakeS3(
      t,
      (_, response) =>
        sendS3Error(response, 400, 'AuthorizationHeaderMalformed', '<Region>eu-central-1</Region>'),
      { lists: false },
    );
    await assert.rejects(wrong.open(), /files is in the region eu-central-1\. Set region=eu-central-1/);
  });

  test('the start fails with the cause for a wrong clock, missing permissions and a server without S3', async (t) => {
    const faults = [
      [403, 'RequestTimeTooSkewed', /clock of this machine/],
      [403, 'AccessDenied', /may not list the bucket files\. .*docs\/s3\.md/],
      [404, 'Whatever', /did not answer like an S3 store \(404\)/],
    ] as const;
    for (const [status, code, words] of faults) {
      const s3 = await startFakeS3(t, (_, response) => sendS3Error(response, status, code), { lists: false });
      await assert.rejects(s3.open(), words);
    }
  });

  test('an interrupted download is resumed where it stopped', async (t) => {
    let gets = 0;
    const s3 = await startFakeS3(t, (request, response) => {
      gets += 1;
      const [, from = '0'] = /bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
      const start = Number(from);
      const range = `bytes ${start}-${WHOLE.length - 1}/${WHOLE.length}`;
      const headers = {
        'Content-Length': WHOLE.length - start,
        ...(start > 0 && { 'Content-Range': range }),
      };
      response.writeHead(start > 0 ? 206 : 200, headers);
      if (gets > 2) response.end(WHOLE.subarray(start));
      else response.write(WHOLE.subarray(start, start + 100_000), () => response.destroy());
    });
    const blob = await (await s3.open()).open(KEY);
    assert.equal(blob?.size, WHOLE.length);
    const parts: Buffer[] = [];
    for await (const chunk of blob.read(0, WHOLE.length)) parts.push(Buffer.from(chunk));
    await blob.close();
    assert.ok(Buffer.concat(parts).equals(WHOLE));
    assert.ok(gets > 2);
  });

  test('a missing bucket is not reported as a missing file', async (t) => {
    const s3 = await startFakeS3(t, (_, response) => response.writeHead(404).end());
    const blobs = await s3.open();
    await assert.rejects(blobs.size(KEY), { name: 'BlobError' });
    const other = await startFakeS3(t, (_, response) => sendS3Error(response, 404, 'NoSuchBucket'));
    await assert.rejects((await other.open()).open(KEY), { name: 'BlobError', kind: 'missing' });
  });

  test('a write with a lost response succeeds if its object exists', async (t) => {
    for (const writeMemoryBytes of [64_000_000, 0]) {
      let mark = '';
      const s3 = await startFakeS3(t, (request, response) => {
        if (request.method === 'HEAD') {
          response.writeHead(200, { 'Content-Length': 5, 'x-amz-meta-porter-attempt': mark }).end();
          return;
        }
        mark = String(request.headers['x-amz-meta-porter-attempt']);
        request.resume().on('end', () => response.destroy());
      });
      const blobs = await s3.open({ writeMemoryBytes });
      assert.equal(await blobs.put(KEY, inOne(Buffer.from('hello')), 5), 5);
    }
  });

  test("a write with a lost response fails if another attempt's object exists", async (t) => {
    const s3 = await startFakeS3(t, (request, response) => {
      const headers = { 'Content-Length': 5, 'x-amz-meta-porter-attempt': 'another' };
      if (request.method === 'HEAD') response.writeHead(200, headers).end();
      else request.resume().on('end', () => response.destroy());
    });
    const blobs = await s3.open({ writeMemoryBytes: 0 });
    await assert.rejects(blobs.put(KEY, inOne(Buffer.from('hello')), 5), {
      name: 'BlobError',
      kind: 'failed',
    });
  });

  test('an early response ends the write at once with the error of S3', async (t) => {
    const s3 = await startFakeS3(t, (_, response) => sendS3Error(response, 507, 'Whatever'));
    const blobs = await s3.open({ writeMemoryBytes: 0 });
    async function* endless() {
      yield [Buffer.alloc(1000)];
      await new Promise(() => {});
    }
    await assert.rejects(blobs.put(KEY, endless(), 5000), { name: 'BlobError', kind: 'full' });
  });

  test('a source with another size than declared stores nothing', async (t) => {
    for (const writeMemoryBytes of [64_000_000, 0]) {
      for (const size of [4, 6]) {
        let isWhole = false;
        const s3 = await startFakeS3(t, (request, response) => {
          isWhole ||= request.method !== 'PUT';
          request.resume().on('end', () => {
            isWhole = true;
            response.end();
          });
        });
        const blobs = await s3.open({ writeMemoryBytes });
        await assert.rejects(blobs.put(KEY, inOne(Buffer.from('hello')), size), { name: 'BlobError' });
        assert.equal(isWhole, false);
      }
    }
  });

  test('one refused delete of many is reported for its key only', async (t) => {
    const s3 = await startFakeS3(t, (request, response) => {
      assert.ok(request.headers['content-md5'], 'the checksum that every store knows');
      response.end(`<DeleteResult><Error><Key>${KEY}</Key><Code>AccessDenied</Code></Error></DeleteResult>`);
    });
    const blobs = await s3.open();
    const failures = await blobs.remove([KEY, 'ab/other.bin']);
    assert.deepEqual(
      failures.map(({ key }) => key),
      [KEY],
    );
    assert.match(failures[0]?.error.message ?? '', /AccessDenied/);
  });

  test('a refused request for many deletes is reported for all their keys', async (t) => {
    const s3 = await startFakeS3(t, (_, response) => {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
    });
    const blobs = await s3.open();
    const failures = await blobs.remove([KEY, 'ab/other.bin']);
    assert.deepEqual(
      failures.map(({ key, error }) => [key, error.kind]),
      [KEY, 'ab/other.bin'].map((key) => [key, 'denied']),
    );
  });

  test('checkWritable writes only now and then', async (t) => {
    const s3 = await startFakeS3(t, (request, response) => {
      request.resume();
      response.writeHead(request.method === 'DELETE' ? 204 : 200).end();
    });
    const blobs = await s3.open();
    for (let time = 1; time <= 3; time += 1) await blobs.checkWritable();
    const puts = s3.asked.filter((line) => line.startsWith('PUT'));
    assert.equal(puts.length, 1);
    assert.equal(s3.asked.filter((line) => line.startsWith('HEAD')).length, 2);
  });

  test('presigned URLs use the address that clients can reach', async (t) => {
    const s3 = await startFakeS3(t, (_, response) => response.end());
    const blobs = await s3.open({ publicEndpoint: 'https://files.example.org', prefix: 'some' });
    const order = {
      signedAt: Date.UTC(2026, 0, 1),
      lifetimeSeconds: 60,
      type: 'image/png',
      disposition: 'inline',
    };
    const link = new URL((await blobs.presignUrl?.(KEY, { ...order, cacheControl: 'no-cache' })) ?? '');
    assert.equal(link.origin, 'https://files.example.org');
    assert.equal(link.pathname, `/files/some/${KEY}`);
    assert.equal(link.searchParams.get('X-Amz-Date'), '20260101T000000Z');
    assert.equal(link.searchParams.get('response-content-type'), 'image/png');
  });
});
