import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { createAddressMatcher } from '../../../src/base/addresses.ts';
import { readBody } from '../../../src/http/common/read-body.ts';
import { healthEndpoints } from '../../../src/http/listener/health-endpoints.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { createReadiness } from '../../../src/http/listener/readiness.ts';
import { createRouter } from '../../../src/http/listener/router.ts';
import { slotApiEndpoint } from '../../../src/http/slots/slot-api.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';

const BEGINNING = '{"jid":';

/** A request whose body begins and never ends. */
const held = (method: string, path: string, more = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n${more}\r\n${BEGINNING}`;

async function start(t: TestContext, allowFrom: readonly string[] = []): Promise<number> {
  const { deps } = createGrantingServices(uploadRules([{ ...allowAllRule, jid: ['.*'] }]));
  const none = createAddressMatcher([]);
  const slots = {
    allowFrom: createAddressMatcher(allowFrom),
    trustedProxies: none,
    linkBasesFor: () => ({ putBase: 'https://h', getBase: 'https://h' }),
    token: 'secret',
  };
  const health = { metricsAllowFrom: none, trustedProxies: none };
  const router = await createRouter(deps, [
    slotApiEndpoint({ ...deps, settings: () => slots }, '/slot/'),
    healthEndpoints(
      {
        metrics: deps.metrics,
        readiness: createReadiness(deps.log, []),
        version: '1',
        settings: () => health,
      },
      '/metrics',
    ),
  ]);
  const noFiles = { owns: () => false, handle: () => undefined, handleContinue: () => undefined };
  const server = new HttpServer(
    { log: deps.log, dataPlane: noFiles, route: router.routing },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    await router.close();
  });
  const [address] = server.addresses;
  return address !== undefined && 'port' in address ? address.port : 0;
}

describe('a request whose body never ends', () => {
  const refused = [
    ['POST', '/slot/', 403],
    ['PUT', '/slot/', 405],
    ['POST', '/nowhere', 404],
    ['OPTIONS', '/nowhere', 404],
    ['POST', '/healthz', 404],
    ['POST', '/metrics', 404],
    ['GET', '/nowhere', 404],
    ['GET', '/healthz', 200],
    ['GET', '/readyz', 200],
    ['GET', '/metrics', 403],
    ['GET', '/', 200],
    ['GET', '/slot/?jid=a@b', 403],
  ] as const;
  for (const [method, path, status] of refused) {
    test(`is answered before the body, and closed: ${method} ${path}`, async (t) => {
      const wire = await RawConnection.open(t, await start(t));
      wire.send(held(method, path));
      const answer = await wire.waitFor(/\r\n\r\n/);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(answer, /^Connection: close\r$/im);
    });
  }

  test('is closed although its client waits for 100 Continue, which a refused client never gets', async (t) => {
    const wire = await RawConnection.open(t, await start(t));
    wire.send(
      'POST /slot/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(await wire.waitFor(/\r\n\r\n/), /^HTTP\/1\.1 403 [\s\S]*Connection: close/i);
  });

  test('is read from an allowed client with the token, which gets 100 Continue first', async (t) => {
    const wire = await RawConnection.open(t, await start(t, ['127.0.0.0/8']));
    const body = '{"jid":"a@b","name":"n","size":1}';
    wire.send(
      `POST /slot/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nAuthorization: Bearer secret\r\nExpect: 100-continue\r\n\r\n`,
    );
    await wire.waitFor('100 Continue\r\n\r\n');
    wire.send(body);
    await wire.waitFor('HTTP/1.1 200 OK');
  });
});

describe('a body with a total time limit', () => {
  test('fails although its bytes keep coming', async (t) => {
    const { deps } = createGrantingServices(uploadRules([]));
    const app = Fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.post('/', async (request, reply) => {
      const limits = { idleTimeoutMs: 60_000, totalTimeoutMs: 100 };
      const read = readBody(request.raw, {
        maxBytes: 1000,
        memoryBudget: deps.transfers.memory,
        content: 'body',
        ...limits,
      });
      return await read.catch((error: { code: string }) => reply.code(408).send(error.code));
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    const { port } = app.server.address() as AddressInfo;
    const wire = await RawConnection.open(t, port);
    wire.send(held('POST', '/'));
    const drip = setInterval(() => wire.send('1'), 20);
    t.after(() => clearInterval(drip));
    assert.match(await wire.waitFor('body_slow'), /^HTTP\/1\.1 408 /);
  });

  test('fails as a PUT, and its slot can be used again', async (t) => {
    const server = await startTestFileServer(t, { settings: { totalTimeoutMs: 100 } });
    const slot = await server.grantSlot({ size: 1000, type: 'application/json' });
    const wire = await RawConnection.open(t, server.port);
    wire.send(held('PUT', slot.putPath));
    const drip = setInterval(() => wire.send('1'), 20);
    t.after(() => clearInterval(drip));
    assert.match(await wire.waitFor('too long to arrive'), /^HTTP\/1\.1 408 [\s\S]*Connection: close/i);
    clearInterval(drip);
    server.changeSettings({ totalTimeoutMs: 60_000 });
    assert.equal((await server.put(slot, Buffer.alloc(1000))).status, 201);
  });
});
