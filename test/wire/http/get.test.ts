import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlobStore, OpenBlob } from '../../../src/blobs/contract.ts';
import type { HttpResponse } from '../../support/http.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestFileServer, type TestSlot } from '../../support/test-file-server.ts';
import { DAY } from '../../support/test-services.ts';
import { waitUntil } from '../../support/wait-until.ts';

const BODY = 'The quick brown fox jumps over the lazy dog.';
/** Larger than the file cache keeps. */
const LARGE = Buffer.alloc(3_000_000, BODY);

function assertNotFound(reply: HttpResponse, method: 'GET' | 'HEAD' = 'GET'): void {
  assert.equal(reply.status, 404);
  assert.equal(reply.text, '');
  // Dino takes the length of an error to HEAD for that of the file.
  assert.equal(reply.headers['content-length'], method === 'HEAD' ? undefined : '0');
  assert.equal(reply.headers['cache-control'], 'no-store');
  assert.equal(reply.headers['access-control-allow-origin'], '*');
}

describe('a file', () => {
  test('has all headers for safety and caching', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    const { headers, status, text } = await server.get(slot.getPath);
    assert.equal(status, 200);
    assert.equal(text, BODY);
    const { date: _date, connection: _connection, 'keep-alive': _keepAlive, ...fileHeaders } = headers;
    assert.deepEqual(fileHeaders, {
      'content-length': String(BODY.length),
      'content-type': 'image/jpeg',
      'content-disposition': `inline; filename="a.jpg"; filename*=UTF-8''a.jpg`,
      'accept-ranges': 'bytes',
      etag: `"${slot.id}"`,
      'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      'cache-control': `public, immutable, max-age=${30 * 86_400}`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
      'x-robots-tag': 'noindex',
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'OPTIONS, HEAD, GET, PUT',
      'access-control-allow-headers': 'Authorization, Content-Type, Range',
      'access-control-expose-headers': 'Content-Length, Content-Range, Content-Disposition',
    });
  });

  test('has the same headers for HEAD, cached or not, small or large', async (t) => {
    const server = await startTestFileServer(t);
    for (const bytes of [BODY, LARGE]) {
      const slot = await server.storeFile(bytes);
      for (let round = 0; round < 2; round += 1) {
        const head = await server.get(slot.getPath, { Range: 'bytes=0-1' }, 'HEAD');
        const get = await server.get(slot.getPath);
        assert.equal(head.status, 200);
        assert.equal(head.text, '');
        assert.equal(get.body.length, bytes.length);
        const undated = ({ date: _date, ...rest }: HttpResponse['headers']) => rest;
        assert.deepEqual(undated(head.headers), undated(get.headers));
      }
    }
  });

  test('is 404 with an empty body if it is unknown, not stored yet, deleted or expired', async (t) => {
    const server = await startTestFileServer(t);
    for (const path of [
      '/files/',
      '/files/x',
      `/files/${'0'.repeat(26)}/a.jpg`,
      '/files/../etc/passwd',
      '/files/%00',
    ]) {
      assertNotFound(await server.get(path));
      assertNotFound(await server.get(path, {}, 'HEAD'), 'HEAD');
    }
    assertNotFound(await server.get((await server.grantSlot()).getPath));

    const file = await server.storeFile(BODY);
    assert.equal((await server.get(file.getPath)).status, 200);
    server.advance(30 * DAY);
    assertNotFound(await server.get(file.getPath));
  });

  test('that this process removed is 404 at once, although it was cached', async (t) => {
    const server = await startTestFileServer(t, { cacheTrustMs: 60_000 });
    const slot = await server.storeFile(BODY);
    assert.equal((await server.get(slot.getPath)).status, 200);
    await removeFrom(server, slot);
    server.fileCache.invalidate(slot.id);
    assertNotFound(await server.get(slot.getPath));
  });

  test('that another process removed is 404 as soon as the cache entry is no longer fresh', async (t) => {
    const server = await startTestFileServer(t, { cacheTrustMs: 0 });
    const slot = await server.storeFile(BODY);
    assert.equal((await server.get(slot.getPath)).status, 200);
    await removeFrom(server, slot);
    assertNotFound(await server.get(slot.getPath));
  });

  test('is looked up in the ledger once, not for every request', async (t) => {
    let asked = 0;
    const server = await startTestFileServer(t, {
      cacheTrustMs: 60_000,
      ledger: (real) => ({
        ...real,
        find(locator) {
          asked += 1;
          return real.find(locator);
        },
      }),
    });
    const slot = await server.storeFile(BODY);
    await Promise.all(Array.from({ length: 20 }, () => server.get(slot.getPath)));
    await server.get(slot.getPath);
    assert.equal(asked, 1);
  });

  test('whose bytes are lost is 404 with an empty body', async (t) => {
    const server = await startTestFileServer(t);
    for (const bytes of [BODY, LARGE]) {
      const slot = await server.storeFile(bytes);
      const row = await server.services.ledger.find(slot.id);
      await server.services.blobs.remove([row?.blob ?? '']);
      assertNotFound(await server.get(slot.getPath));
    }
  });

  test('is an empty 500 while the ledger is down', async (t) => {
    const server = await startTestFileServer(t, {
      ledger: (real) => ({ ...real, find: () => Promise.reject(new Error('down')) }),
    });
    const { status, text, headers } = await server.get(`/files/${'0'.repeat(26)}/a.jpg`);
    assert.deepEqual([status, text, headers['content-length']], [500, '', '0']);
  });

  test('is never compressed', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(LARGE);
    const { headers, body: bytes } = await server.get(slot.getPath, { 'Accept-Encoding': 'gzip, br' });
    assert.equal(headers['content-encoding'], undefined);
    assert.ok(bytes.equals(LARGE));
  });

  test('is shown inline only if it cannot run scripts', async (t) => {
    const server = await startTestFileServer(t);
    const dispositions: [string, RegExp][] = [
      ['image/png', /^inline/],
      ['video/mp4', /^inline/],
      ['text/plain; charset=utf-8', /^inline/],
      ['image/svg+xml', /^attachment/],
      ['text/html', /^attachment/],
      ['application/xml', /^attachment/],
      ['application/pdf', /^attachment/],
      ['application/octet-stream', /^attachment/],
    ];
    for (const [type, expected] of dispositions) {
      const slot = await server.storeFile(BODY, { type });
      const { headers } = await server.get(slot.getPath);
      assert.equal(headers['content-type'], type);
      assert.match(headers['content-disposition'] ?? '', expected, type);
    }
  });

  test('keeps its exact name, and no name breaks out of the header', async (t) => {
    const server = await startTestFileServer(t);
    for (const name of ['Übung 1.pdf', 'a"b.jpg', 'b;c=d.txt', "it's (1) 100%.jpg", '日本語.png', '😀.gif']) {
      const slot = await server.storeFile(BODY, { name });
      const value = (await server.get(slot.getPath)).headers['content-disposition'] ?? '';
      const encoded = /; filename\*=UTF-8''([!#$&+.^_`|~0-9A-Za-z%-]+)$/.exec(value)?.[1] ?? '';
      assert.equal(decodeURIComponent(encoded), name);
      assert.match(value, /^(inline|attachment); filename="[ !#$&-[\]-~]*"; filename\*=/);
    }
  });

  test('has the headers of the config, which replace those of the same name, also after a reload', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    await server.get(slot.getPath);
    server.changeSettings({ downloadHeaders: { 'X-Robots-Tag': 'none', 'cache-control': 'no-store' } });
    const { headers } = await server.get(slot.getPath);
    assert.equal(headers['x-robots-tag'], 'none');
    assert.equal(headers['cache-control'], 'no-store');
    server.changeSettings({ downloadHeaders: {}, inlineTypes: [] });
    const after = (await server.get(slot.getPath)).headers;
    assert.equal(after['x-robots-tag'], 'noindex');
    assert.match(after['content-disposition'] ?? '', /^attachment/);
  });

  test('has a Cache-Control that ends with the file, at most one year', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    const unlimited = await server.storeFile(BODY, { purpose: 'profile' });
    server.advance(29 * DAY);
    assert.equal(
      (await server.get(slot.getPath)).headers['cache-control'],
      'public, immutable, max-age=86400',
    );
    assert.equal(
      (await server.get(unlimited.getPath)).headers['cache-control'],
      'public, immutable, max-age=31536000',
    );
  });

  test('is 405 to methods that would change it', async (t) => {
    const server = await startTestFileServer(t);
    const { getPath } = await server.storeFile(BODY);
    for (const method of ['PUT', 'POST', 'DELETE']) {
      const { status, headers } = await server.get(getPath, {}, method);
      assert.equal(status, 405);
      assert.equal(headers.allow, 'OPTIONS, HEAD, GET');
    }
  });
});

describe('a range', () => {
  test('of any form returns exactly that part, for small and large files, cached or not', async (t) => {
    const server = await startTestFileServer(t);
    for (const bytes of [Buffer.from(BODY), LARGE]) {
      const slot = await server.storeFile(bytes);
      const { length } = bytes;
      const cases: [string, number, number][] = [
        ['bytes=0-', 0, length],
        ['bytes=0-0', 0, 1],
        ['bytes=5-9', 5, 10],
        ['bytes=7-', 7, length],
        ['bytes=-4', length - 4, length],
        [`bytes=-${length * 2}`, 0, length],
        [`bytes=2-${length * 9}`, 2, length],
        [`bytes=${length - 1}-`, length - 1, length],
      ];
      for (const [Range, start, end] of cases) {
        const reply = await server.get(slot.getPath, { Range });
        assert.equal(reply.status, 206, Range);
        assert.equal(reply.headers['content-range'], `bytes ${start}-${end - 1}/${length}`);
        assert.equal(reply.headers['content-length'], String(end - start));
        assert.equal(reply.headers['content-type'], 'image/jpeg');
        assert.ok(reply.body.equals(bytes.subarray(start, end)), Range);
      }
    }
  });

  test('outside the file is 416 with its size and no body', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    for (const Range of [`bytes=${BODY.length}-`, 'bytes=99999999999999999999-', 'bytes=-0']) {
      const reply = await server.get(slot.getPath, { Range });
      assert.equal(reply.status, 416, Range);
      assert.equal(reply.headers['content-range'], `bytes */${BODY.length}`);
      assert.deepEqual([reply.text, reply.headers['content-length']], ['', '0']);
    }
  });

  test('that is malformed, of another unit or one of many gets the whole file', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    for (const Range of [
      'bytes=',
      'bytes=-',
      'bytes=5-2',
      'bytes=0-1,3-4',
      'lines=0-1',
      'bytes 0-1',
      'bytes=a-b',
    ]) {
      const reply = await server.get(slot.getPath, { Range });
      assert.deepEqual([reply.status, reply.text], [200, BODY], Range);
    }
  });

  test('is applied only if If-Range matches the file', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    const status = async (ifRange: string) =>
      (await server.get(slot.getPath, { Range: 'bytes=1-2', 'If-Range': ifRange })).status;
    assert.equal(await status(`"${slot.id}"`), 206);
    assert.equal(await status('Thu, 01 Jan 2026 00:00:00 GMT'), 206);
    assert.equal(await status('"another"'), 200);
    assert.equal(await status(`W/"${slot.id}"`), 200);
    assert.equal(await status('Thu, 01 Jan 2026 00:00:01 GMT'), 200);
    assert.equal(await status('rubbish'), 200);
  });
});

describe('a conditional request', () => {
  test('gets 304 without a body, with the headers that a cache updates', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    for (const headers of [
      { 'If-None-Match': `"${slot.id}"` },
      { 'If-None-Match': `W/"${slot.id}"` },
      { 'If-None-Match': `"other", W/"x,y" , "${slot.id}"` },
      { 'If-None-Match': '*' },
      { 'If-Modified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' },
      { 'If-None-Match': `"${slot.id}"`, Range: 'bytes=0-1' },
    ]) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await server.get(slot.getPath, headers as Record<string, string>, method);
        assert.equal(reply.status, 304, JSON.stringify(headers));
        assert.equal(reply.text, '');
        assert.equal(reply.headers.etag, `"${slot.id}"`);
        assert.match(reply.headers['cache-control'] ?? '', /max-age=/);
      }
    }
  });

  test('gets the file if the client has another or an older one', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    for (const headers of [
      { 'If-None-Match': '"other"' },
      { 'If-Modified-Since': 'Wed, 31 Dec 2025 23:59:59 GMT' },
      { 'If-Modified-Since': 'not a date' },
      { 'If-None-Match': '"other"', 'If-Modified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' },
      { 'If-Match': `"${slot.id}"` },
      { 'If-Unmodified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' },
    ]) {
      const reply = await server.get(slot.getPath, headers as Record<string, string>);
      assert.equal(reply.status, 200, JSON.stringify(headers));
    }
  });

  test('gets 412 without a body if a precondition fails', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    for (const headers of [
      { 'If-Match': '"other"' },
      { 'If-Match': `W/"${slot.id}"` },
      { 'If-Unmodified-Since': 'Wed, 31 Dec 2025 23:59:59 GMT' },
    ]) {
      const reply = await server.get(slot.getPath, headers as Record<string, string>);
      assert.deepEqual([reply.status, reply.text], [412, ''], JSON.stringify(headers));
    }
  });
});

describe('a download', () => {
  test('closes its file if the client disconnects', async (t) => {
    let open = 0;
    const server = await startTestFileServer(t, { blobs: (real) => counting(real, (by) => (open += by)) });
    const slot = await server.storeFile(Buffer.alloc(30_000_000));
    for (let round = 0; round < 5; round += 1) {
      const wire = await RawConnection.open(t, server.port);
      wire.send(`GET ${slot.getPath} HTTP/1.1\r\nHost: h\r\n\r\n`);
      await wire.waitFor('\r\n\r\n');
      assert.equal(open, 1);
      wire.reset();
      await waitUntil(() => open === 0);
    }
    assert.equal(server.dataPlane.transfersInFlight(), 0);
  });

  test('ends after the idle timeout if the client stops reading', async (t) => {
    let open = 0;
    const server = await startTestFileServer(t, {
      settings: { idleTimeoutMs: 100 },
      blobs: (real) => counting(real, (by) => (open += by)),
    });
    const slot = await server.storeFile(Buffer.alloc(60_000_000));
    const wire = await RawConnection.open(t, server.port);
    wire.socket.pause();
    wire.send(`GET ${slot.getPath} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await waitUntil(() => open === 1);
    await waitUntil(() => open === 0);
  });

  test('whose store fails midway is aborted, so that the client does not take the part for the whole file', async (t) => {
    const server = await startTestFileServer(t, { blobs: failingAfterFirstChunk });
    const slot = await server.storeFile(LARGE);
    const wire = await RawConnection.open(t, server.port);
    wire.send(`GET ${slot.getPath} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const text = await wire.waitForClose();
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(text.length < LARGE.length);
  });

  test('is completed when the server stops', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(Buffer.alloc(30_000_000));
    const wire = await RawConnection.open(t, server.port);
    wire.socket.pause();
    wire.send(`GET ${slot.getPath} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    let closed = false;
    const closing = server.dataPlane.close().then(() => {
      closed = true;
    });
    assert.equal(closed, false);
    wire.socket.resume();
    await closing;
    assert.equal(server.dataPlane.transfersInFlight(), 0);
  });
});

async function removeFrom(server: TestFileServer, slot: TestSlot): Promise<void> {
  const order = { reason: 'deleted', detail: '', now: server.services.clock() } as const;
  await server.services.ledger.remove({ ids: [slot.id], ...order });
}

/** Calls back for every blob that is opened (+1) and closed (-1). */
function counting(real: BlobStore, changed: (by: number) => void): BlobStore {
  return {
    ...real,
    async open(key) {
      const blob = await real.open(key);
      if (!blob) return undefined;
      changed(+1);
      const close = async () => {
        await blob.close();
        changed(-1);
      };
      return { ...blob, close };
    },
  };
}

function failingAfterFirstChunk(real: BlobStore): BlobStore {
  async function* cut(blob: OpenBlob, start: number, end: number) {
    for await (const chunk of blob.read(start, end)) {
      yield chunk;
      throw new Error('the disk is gone');
    }
  }
  return {
    ...real,
    async open(key) {
      const blob = await real.open(key);
      return blob && { ...blob, read: (start, end) => cut(blob, start, end) };
    },
  };
}
