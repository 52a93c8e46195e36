import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/base/log.ts';
import { sendEmpty } from '../../../src/http/common/send-response.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { createRouter } from '../../../src/http/listener/router.ts';
import { sendRequest } from '../../support/http.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';

const log = createLog({ level: 'silent', format: 'json' });
const CACHED = 'public, max-age=9';

/** The forms in which endpoints write headers; each tells caches to keep its error. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  '/files/list': (response) =>
    response.writeHead(404, ['Content-Length', '3', 'Cache-Control', CACHED]).end('abc'),
  '/files/object': (response) =>
    response.writeHead(500, { 'content-length': 3, 'cache-control': CACHED }).end('abc'),
  '/files/reason': (response) => response.writeHead(416, 'No', { 'Content-Length': '0' }).end(),
  '/files/implicit': (response) => {
    response.statusCode = 503;
    response.setHeader('Cache-Control', CACHED).setHeader('Content-Length', '3').end('abc');
  },
  '/files/empty': (response) => sendEmpty(response, 412, ['Cache-Control', CACHED]),
};

async function start(t: TestContext): Promise<number> {
  const router = await createRouter({ log, clock: Date.now }, [
    async (app) => {
      app.get('/refused', () =>
        Promise.reject(new Refusal('quota_exceeded', { retryAt: Date.now() + 5000 })),
      );
      app.get('/broken', () => Promise.reject(new Error('broken')));
      app.get('/unavailable', (_, reply) =>
        reply.code(503).header('Cache-Control', CACHED).send({ ready: false }),
      );
      app.route({ method: 'PUT', url: '/refused', handler: () => Promise.reject(new Refusal('not_found')) });
    },
  ]);
  const answer = (path: string, response: ServerResponse) => ANSWERS[path]?.(response);
  const server = new HttpServer(
    {
      log,
      dataPlane: {
        owns: (path) => path.startsWith('/files/'),
        handle: ({ url = '' }, response) => answer(url, response),
        handleContinue: ({ url = '' }, response) => answer(url, response),
      },
      route: router.routing,
    },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  t.after(() => router.close());
  const [address] = server.addresses;
  return address !== undefined && 'port' in address ? address.port : 0;
}

const PATHS = [...Object.keys(ANSWERS), '/refused', '/broken', '/unavailable', '/unknown'];

describe('an error', () => {
  test('is not kept by caches, whichever endpoint answers', async (t) => {
    const at = { host: '127.0.0.1', port: await start(t) };
    for (const path of PATHS) {
      const { status, headers, text } = await sendRequest(at, path);
      assert.ok(status >= 400, path);
      assert.equal(headers['cache-control'], 'no-store', path);
      assert.equal(headers['content-length'], String(text.length), path);
    }
  });

  test('to HEAD has no Content-Length, which clients take for the size of the file', async (t) => {
    const at = { host: '127.0.0.1', port: await start(t) };
    for (const path of PATHS) {
      const { status, headers } = await sendRequest(at, path, { method: 'HEAD' });
      assert.ok(status >= 400, path);
      assert.equal(headers['content-length'], undefined, path);
      assert.equal(headers['transfer-encoding'], undefined, path);
      assert.equal(headers['cache-control'], 'no-store', path);
    }
  });

  test('to HEAD leaves the connection open for the next request', async (t) => {
    const connection = await RawConnection.open(t, await start(t));
    for (const path of PATHS) {
      connection.text = '';
      connection.send(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await connection.waitFor(/HTTP\/1.1 [45]\d\d [\s\S]*\r\n\r\n$/);
    }
  });

  test('to a PUT whose body is not read, or to bytes that are not HTTP, is not kept by caches', async (t) => {
    const port = await start(t);
    for (const bytes of [
      'PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
      'nonsense\r\n\r\n',
    ]) {
      const connection = await RawConnection.open(t, port);
      connection.send(bytes);
      const text = await connection.waitFor('\r\n\r\n');
      assert.match(text, /^HTTP\/1.1 4\d\d [\s\S]*\r\nConnection: close\r\n/i);
      assert.match(text, /\r\nCache-Control: no-store\r\n/);
    }
  });

  test('of a range or a condition is not kept by caches, although the file is', async (t) => {
    const server = await startTestFileServer(t);
    const { getPath } = await server.storeFile('bytes');
    for (const [headers, status] of [
      [{ Range: 'bytes=9-' }, 416],
      [{ 'If-Match': '"other"' }, 412],
    ] as const) {
      const answer = await server.get(getPath, headers);
      assert.deepEqual([answer.status, answer.headers['cache-control']], [status, 'no-store']);
    }
  });
});

describe('a preflight', () => {
  test('from a public page to a private network is allowed if the browser asks', async (t) => {
    const server = await startTestFileServer(t);
    const { putPath } = await server.grantSlot();
    const asked = {
      'Access-Control-Request-Private-Network': 'true',
      'Access-Control-Request-Method': 'PUT',
    };
    const allowed = await server.get(putPath, asked, 'OPTIONS');
    assert.equal(allowed.headers['access-control-allow-private-network'], 'true');
    const usual = await server.get(putPath, {}, 'OPTIONS');
    assert.equal(usual.headers['access-control-allow-private-network'], undefined);
  });
});
