import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Upload } from '../../../src/base/upload-records.ts';
import { withSharedLinks } from '../../../src/http/messages/share-endpoint.ts';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';
import { signedLocator } from '../../../src/policy/signed-path.ts';
import { openRequest, readResponse } from '../../support/http.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import {
  ALERTS,
  basic,
  bearer,
  ROMEO,
  startTestMessageServer,
  type TestMessageServer,
} from '../../support/test-message-server.ts';
import { access } from '../../support/test-services.ts';
import { waitUntil } from '../../support/wait-until.ts';

const PICTURE = Buffer.alloc(300_000, 'picture');
/** The path of Matterbridge: the beginning of the SHA-1, and the name. */
const KEPT = '/share/0a1b2c3d/balc%C3%B3n%201.jpg';

const uploads = ({ services }: TestMessageServer) => services.ledger.listUploads({ limit: 100 });

function put(
  server: TestMessageServer,
  path: string,
  body: string | Buffer = PICTURE,
  headers: Record<string, string> = {},
) {
  const all = { Authorization: basic(), 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  return server.request(path, { method: 'PUT', headers: all, body });
}

/** Like `curl -T -`. */
function putChunked({ port }: TestMessageServer, path: string, chunks: readonly Buffer[]) {
  const request = openRequest(`http://127.0.0.1:${port}${path}`, {
    method: 'PUT',
    headers: { Authorization: basic(), 'Transfer-Encoding': 'chunked' },
  });
  const response = readResponse(request);
  for (const chunk of chunks) request.write(chunk);
  request.end();
  return response;
}

async function assertNothingLeft(server: TestMessageServer): Promise<void> {
  assert.deepEqual(await uploads(server), []);
  await waitUntil(async () => (await pendingKeys(server.services.ledger)).length === 0);
}

describe('A file that is PUT to the share path', () => {
  test('is stored for the client, and its link is the answer', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await put(server, '/share/balc%C3%B3n%201.jpg');
    assert.equal(reply.status, 201, reply.text);
    assert.equal(reply.text, `${reply.headers.location}\n`);
    assert.match(reply.text, /\/files\/[0-9a-z]{26}\/balc%C3%B3n%201\.jpg\n$/);
    const fetched = await server.request(new URL(reply.text.trim()).pathname);
    assert.ok(fetched.body.equals(PICTURE));
    assert.equal(fetched.headers['content-type'], 'image/jpeg');
    const [row] = await uploads(server);
    assert.deepEqual([row?.owner, row?.endpoint, row?.name], [ROMEO, 'messages', 'balcón 1.jpg']);
    assert.equal(server.delivered.length, 0);
  });

  test('may come with a token, and with a media type', async (t) => {
    const server = await startTestMessageServer(t);
    const headers = { Authorization: bearer(), 'Content-Type': 'text/x-log' };
    const reply = await put(server, '/share/a', 'text', headers);
    assert.equal(reply.status, 201);
    const [row] = await uploads(server);
    assert.deepEqual([row?.owner, row?.type], [ALERTS, 'text/x-log']);
    await put(server, '/share/b.png', 'text', { 'Content-Type': 'binary/octet-stream' });
    assert.deepEqual((await uploads(server)).map(({ type }) => type).sort(), ['image/png', 'text/x-log']);
  });

  test('may come in chunks, without its length', async (t) => {
    const server = await startTestMessageServer(t);
    const chunks = Array.from({ length: 20 }, (_, at) => Buffer.alloc(10_000, at));
    const reply = await putChunked(server, '/share/log.txt', chunks);
    assert.equal(reply.status, 201, reply.text);
    const fetched = await server.request(new URL(reply.text.trim()).pathname);
    assert.ok(fetched.body.equals(Buffer.concat(chunks)));
    const kept = await putChunked(server, '/share/a/log.txt', chunks);
    assert.ok((await server.request(new URL(kept.text.trim()).pathname)).body.equals(Buffer.concat(chunks)));
  });

  test('under a path with folders keeps that path, as Matterbridge needs', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await put(server, KEPT, PICTURE, { 'Content-Type': 'binary/octet-stream' });
    assert.equal(reply.status, 201, reply.text);
    assert.ok(reply.headers.location?.endsWith(KEPT));
    for (const path of [KEPT, KEPT.replace('%C3%B3', '%c3%b3').replace('j', '%6A')]) {
      const fetched = await server.request(path);
      assert.equal(fetched.status, 200, path);
      assert.ok(fetched.body.equals(PICTURE));
      assert.equal(fetched.headers['content-type'], 'image/jpeg');
    }
    assert.equal((await server.request(KEPT, { method: 'HEAD' })).headers['content-length'], '300000');
    assert.equal((await server.request('/share/0a1b2c3d/other.jpg')).status, 404);
    const again = await put(server, KEPT);
    assert.equal(again.status, 201);
    assert.equal((await uploads(server)).length, 1);
    const other = await put(server, KEPT, Buffer.alloc(300_000, 'forged'));
    assert.equal(other.status, 409);
    assert.ok((await server.request(KEPT)).body.equals(PICTURE));
  });

  test('can take a path again after its file was removed', async (t) => {
    const server = await startTestMessageServer(t);
    await put(server, KEPT);
    const [row] = await uploads(server);
    await server.services.ledger.remove({
      ids: [row?.id ?? ''],
      reason: 'expired',
      detail: '',
      now: server.services.clock(),
    });
    assert.equal((await server.request(KEPT)).status, 404);
    assert.equal((await put(server, KEPT, 'new')).status, 201);
    assert.equal((await server.request(KEPT)).text, 'new');
  });

  test('is refused by the rules of every upload, and leaves nothing behind', async (t) => {
    const server = await startTestMessageServer(t);
    const refused = async (status: number, text: RegExp) => {
      for (const path of ['/share/a.jpg', '/share/b/a.jpg']) {
        const replies = [await put(server, path), await putChunked(server, path, [PICTURE])];
        for (const reply of replies) {
          assert.equal(reply.status, status, `${path}: ${reply.text}`);
          assert.match(reply.text, text);
          assert.equal(reply.headers['cache-control'], 'no-store');
        }
      }
      await assertNothingLeft(server);
    };
    const rules = (rule: object) =>
      server.setRules({ access: access({ jid: ['@example\\.org$'], ...rule }) });
    rules({ deny: true });
    await refused(403, /romeo@example\.org may not upload/);
    rules({ max_file_size: 1000 });
    await refused(413, /too large/);
    rules({ max_total_size: 200_000 });
    await refused(413, /never fits|too large/);
    rules({ allowed_types: ['text/*'] });
    await refused(403, /image\/jpeg may not be uploaded/);
  });

  test('needs credentials, before its body is read', async (t) => {
    const server = await startTestMessageServer(t);
    for (const headers of [
      { Authorization: '' },
      { Authorization: basic(ROMEO, 'wrong') },
      { Authorization: bearer('wrong') },
    ]) {
      const reply = await put(server, '/share/a.jpg', PICTURE, headers);
      assert.equal(reply.status, 401);
      assert.match(reply.headers['www-authenticate'] ?? '', /Basic realm="share".*Bearer/);
    }
    const raw = await RawConnection.open(t, server.port);
    raw.send('PUT /share/a.jpg HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n');
    assert.match(await raw.waitFor('\r\n\r\n'), /^HTTP\/1\.1 401 /);
    const good = await RawConnection.open(t, server.port);
    good.send(
      `PUT /share/a.jpg HTTP/1.1\r\nHost: a\r\nAuthorization: ${basic()}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    );
    await good.waitFor('HTTP/1.1 100 Continue\r\n\r\n');
    good.send('a picture');
    assert.match(await good.waitFor('/a.jpg\n'), /HTTP\/1\.1 201 /);
    await assertUploads(server, 1);
  });

  test('needs a name and bytes', async (t) => {
    const server = await startTestMessageServer(t);
    for (const path of ['/share/', '/share/a/', '/share/%ff', '/share/a%00', '/share/a%2fb', '/share/%']) {
      const reply = await put(server, path);
      assert.equal(reply.status, 400, path);
    }
    for (const path of ['/share/a', '/share/b/a']) {
      assert.equal((await put(server, path, '')).status, 400);
      assert.equal((await putChunked(server, path, [])).status, 400);
      assert.equal((await put(server, path, 'x', { 'Content-Range': 'bytes 0-0/2' })).status, 400);
    }
    for (const method of ['POST', 'DELETE']) {
      const reply = await server.request('/share/a', { method });
      assert.equal(reply.status, 405);
      assert.match(reply.headers.allow ?? '', /PUT/);
    }
    const options = await server.request('/share/a', { method: 'OPTIONS' });
    assert.match(options.headers['access-control-allow-methods'] ?? '', /PUT/);
    await assertNothingLeft(server);
  });

  test('hides no link of an imported service with the same path', async () => {
    const imported = {
      findLocator: async (path: string) => `external:${path}`,
      cachedLocator: () => undefined,
    };
    const shared = signedLocator('share', { bytes: Buffer.from('a/b c.jpg') });
    const find = async (locator: string) =>
      locator === shared ? ({ id: 'an upload' } as Upload) : undefined;
    const links = withSharedLinks(imported, { ledger: { find } as Ledger }, '/share/');
    assert.equal(await links.findLocator('/share/a/b%20c.jpg'), shared);
    assert.equal(await links.findLocator('/share/a/other.jpg'), 'external:/share/a/other.jpg');
    assert.equal(await links.findLocator('/other/a.jpg'), 'external:/other/a.jpg');
  });

  test('that breaks off leaves nothing behind', async (t) => {
    const server = await startTestMessageServer(t);
    const start = async (head: string) => {
      const raw = await RawConnection.open(t, server.port);
      raw.send(
        `PUT /share/a/b.jpg HTTP/1.1\r\nHost: a\r\nAuthorization: ${basic()}\r\n${head}\r\n\r\n5\r\nabc`,
      );
      return raw;
    };
    const known = await start('Content-Length: 1000');
    await waitUntil(async () => (await uploads(server)).length === 1);
    known.reset();
    await waitUntil(async () => (await uploads(server)).length === 0);
    const unknown = await start('Transfer-Encoding: chunked');
    await waitUntil(() => server.logins.length === 2);
    unknown.reset();
    await assertNothingLeft(server);
    assert.equal((await put(server, '/share/a/b.jpg')).status, 201);
  });
});

async function assertUploads(server: TestMessageServer, count: number): Promise<void> {
  assert.equal((await uploads(server)).length, count);
}
