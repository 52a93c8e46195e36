import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createAddressMatcher, networkOf } from '../../../src/base/addresses.ts';
import { createLog } from '../../../src/base/log.ts';
import type { TlsFiles } from '../../../src/http/listener/certificate.ts';
import {
  type ConnectionLimits,
  connectionLimitsFor,
  type DropReason,
} from '../../../src/http/listener/connection-limit.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { httpRequest, sendRequest } from '../../support/http.ts';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';
import { waitUntil } from '../../support/wait-until.ts';

async function start(
  t: TestContext,
  connectionLimits: ConnectionLimits,
  proxies: readonly string[] = [],
  tls?: TlsFiles,
) {
  const dropped: DropReason[] = [];
  const busy: ServerResponse[] = [];
  const server = new HttpServer(
    {
      log: createLog({ level: 'silent', format: 'json' }),
      dataPlane: { owns: () => false, handle: () => undefined, handleContinue: () => undefined },
      route: (request, response) => {
        if (request.url === '/busy') busy.push(response);
        else response.end('ok');
      },
      onConnectionDropped: (reason) => dropped.push(reason),
      trustedProxies: () => createAddressMatcher(proxies),
    },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [], connectionLimits, tls },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  const [bound] = server.addresses;
  const port = bound !== undefined && 'port' in bound ? bound.port : 0;
  return {
    server,
    port,
    dropped,
    busy,
    /** Opens a connection from an address and waits until the server has it, or has closed it. */
    async open(localAddress: string, bytes = ''): Promise<Socket> {
      const before = server.openConnections + dropped.length;
      const requests = busy.length;
      const socket = connect({ port, host: '127.0.0.1', localAddress });
      t.after(() => socket.destroy());
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(bytes);
      await waitUntil(() => server.openConnections + dropped.length > before);
      if (bytes.includes('/busy')) await waitUntil(() => busy.length > requests);
      return socket;
    },
    request: (localAddress: string, headers: Record<string, string> = {}) =>
      sendRequest({ host: '127.0.0.1', port, localAddress }, '/', { headers }),
  };
}

const BUSY = 'GET /busy HTTP/1.1\r\nHost: h\r\n\r\n';

describe('connections', () => {
  test('of one client never take the place of another client', async (t) => {
    const { open, request, dropped, server } = await start(t, { total: 8, perClient: 4 });
    for (let i = 0; i < 6; i += 1) await open('127.0.0.2', 'GET / HTTP/1.1\r\nX-Slow: ');
    assert.equal(server.openConnections, 4);
    assert.deepEqual(dropped, ['client_limit', 'client_limit']);
    assert.equal((await request('127.0.0.3')).status, 200);
  });

  test('that are idle make room at the total limit, those of the greediest client first', async (t) => {
    const { open, request, dropped } = await start(t, { total: 4, perClient: 3 });
    const modest = await open('127.0.0.3');
    const [first] = [await open('127.0.0.2'), await open('127.0.0.2'), await open('127.0.0.2')];
    assert.ok(first);
    first.resume();
    const closed = once(first, 'close');
    assert.equal((await request('127.0.0.4')).status, 200);
    await closed;
    assert.deepEqual(dropped, ['made_room']);
    assert.equal(modest.destroyed, false);
  });

  test('with a request in progress are never closed to make room', async (t) => {
    const { open, dropped, server } = await start(t, { total: 2, perClient: 2 });
    await open('127.0.0.2', BUSY);
    await open('127.0.0.3', BUSY);
    await open('127.0.0.4');
    assert.deepEqual(dropped, ['total_limit']);
    assert.equal(server.openConnections, 2);
  });

  test('of a trusted proxy have no limit of one client', async (t) => {
    const { open, dropped, server } = await start(t, { total: 8, perClient: 2 }, ['127.0.0.9']);
    for (let i = 0; i < 6; i += 1) await open('127.0.0.9');
    assert.deepEqual(dropped, []);
    assert.equal(server.openConnections, 6);
  });

  test('of a trusted proxy carry at most as many requests in progress for each client as the client may connect', async (t) => {
    const { open, busy, dropped, request } = await start(t, { total: 16, perClient: 2 }, ['127.0.0.9']);
    const forwarded = (client: string) => BUSY.replace('\r\n\r\n', `\r\nX-Forwarded-For: ${client}\r\n\r\n`);
    await open('127.0.0.9', forwarded('2001:db8::1'));
    await open('127.0.0.9', forwarded('2001:db8::2'));
    const refused = await request('127.0.0.9', { 'X-Forwarded-For': '2001:db8::3' });
    assert.deepEqual([refused.status, refused.headers['retry-after'], refused.text], [503, '5', '']);
    assert.deepEqual(dropped, ['client_limit']);
    assert.equal((await request('127.0.0.9', { 'X-Forwarded-For': '192.0.2.1' })).status, 200);
    // A client cannot name another one: only what the proxy has added counts.
    const forged = await request('127.0.0.9', { 'X-Forwarded-For': '192.0.2.1, 2001:db8::3' });
    assert.equal(forged.status, 503);
    busy[0]?.end();
    await waitUntil(
      async () => (await request('127.0.0.9', { 'X-Forwarded-For': '2001:db8::3' })).status === 200,
    );
  });

  test('of an untrusted client count for itself, whatever it claims', async (t) => {
    const { request } = await start(t, { total: 8, perClient: 2 }, ['127.0.0.9']);
    for (let i = 0; i < 4; i += 1)
      assert.equal((await request('127.0.0.3', { 'X-Forwarded-For': '192.0.2.1' })).status, 200);
  });

  test('over TLS count from their TCP connection on, and end their place when they close', async (t) => {
    const { cert, key } = createSelfSigned(['localhost']);
    const folder = await mkdtemp(join(tmpdir(), 'porter-tls-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)]);
    const { open, port, server, dropped } = await start(t, { total: 8, perClient: 2 }, [], files);
    const url = `https://localhost:${port}/`;
    // None of these has finished its handshake.
    const silent = [await open('127.0.0.2'), await open('127.0.0.2'), await open('127.0.0.2')];
    assert.deepEqual([server.openConnections, dropped], [2, ['client_limit']]);
    assert.equal((await httpRequest(url, { ca: cert, localAddress: '127.0.0.3' })).status, 200);
    await waitUntil(() => server.openConnections === 2);
    for (const socket of silent) socket.destroy();
    await waitUntil(() => server.openConnections === 0);
    assert.equal((await httpRequest(url, { ca: cert, localAddress: '127.0.0.2' })).status, 200);
  });

  test('that close free their place', async (t) => {
    const { open, request, server } = await start(t, { total: 4, perClient: 1 });
    for (let i = 0; i < 3; i += 1) {
      const socket = await open('127.0.0.2');
      socket.destroy();
      await waitUntil(() => server.openConnections === 0);
    }
    assert.equal((await request('127.0.0.2')).status, 200);
  });
});

describe('the default limits', () => {
  test('leave file descriptors for files and stores', () => {
    for (const descriptors of [64, 200, 1024, 65_536, 1_048_576]) {
      const { total, perClient } = connectionLimitsFor(descriptors);
      assert.ok(total >= 1 && total * 2 < descriptors, String(descriptors));
      assert.ok(perClient <= total);
    }
    assert.deepEqual(connectionLimitsFor(200), { total: 66, perClient: 16 });
    assert.equal(connectionLimitsFor(undefined).total, 16_384);
  });

  test('give way to configured ones', () => {
    assert.deepEqual(connectionLimitsFor(1024, { max: 10, max_per_client: 3 }), { total: 10, perClient: 3 });
  });

  test('count an IPv6 network of a client as one', () => {
    assert.equal(networkOf('2001:db8::1'), networkOf('2001:db8:0:0:ffff::2'));
    assert.notEqual(networkOf('2001:db8::1'), networkOf('2001:db8:0:1::1'));
    assert.equal(networkOf('192.0.2.1'), '192.0.2.1');
  });
});
