import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAddressMatcher } from '../../../src/base/addresses.ts';
import { withEchoEndpoint } from '../../../src/http/files/echo-endpoint.ts';
import {
  createWebServerDelivery,
  type DeliverySettings,
  withoutSlotDownloads,
} from '../../../src/http/files/web-server-delivery.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { putUrl } from '../../../src/uploads/links.ts';
import { createProbeUploads } from '../../../src/uploads/probe-uploads.ts';
import { sendRequest } from '../../support/http.ts';
import { startTestFileServer, type TestFileServer, type TestSlot } from '../../support/test-file-server.ts';

const LOOPBACK = createAddressMatcher(['127.0.0.0/8']);
const NO_ADDRESS = createAddressMatcher([]);
const THROUGH = { 'X-Forwarded-For': '192.0.2.1' };

const settings: DeliverySettings = {
  via: 'x-sendfile',
  prefix: null,
  blobFolder: '/srv/some folder/100%',
  trustedProxies: () => LOOPBACK,
};

/** Returns the key of the stored file. The key of a slot is never written. */
async function blobOf({ services }: TestFileServer, { id }: TestSlot): Promise<string> {
  return (await services.ledger.find(id))?.blob ?? assert.fail('no such file');
}

describe('files that a web server sends', () => {
  test('get X-Sendfile with the encoded path in the blob folder and an empty body', async (t) => {
    const testServer = await startTestFileServer(t, { delivery: createWebServerDelivery(settings) });
    const file = await testServer.storeFile('bytes', { name: 'a.png', type: 'image/png' });
    const { status, headers, text } = await testServer.get(file.getPath, THROUGH);
    assert.deepEqual([status, text, headers['content-length']], [200, '', '0']);
    assert.equal(headers['x-sendfile'], `/srv/some%20folder/100%25/${await blobOf(testServer, file)}`);
    assert.equal(headers['content-type'], 'image/png');
    assert.equal(headers.etag, `"${file.id}"`);
    assert.equal(headers['accept-ranges'], 'bytes');
  });

  test('get X-Accel-Redirect below the location of nginx, without Accept-Ranges, which nginx adds', async (t) => {
    const delivery = createWebServerDelivery({ ...settings, via: 'x-accel-redirect' });
    const testServer = await startTestFileServer(t, { delivery });
    const file = await testServer.storeFile('bytes');
    const { headers } = await testServer.get(file.getPath, { ...THROUGH, Range: 'bytes=1-2' });
    assert.equal(headers['x-accel-redirect'], `/porter-blobs/${await blobOf(testServer, file)}`);
    assert.equal(headers['accept-ranges'], undefined);
    assert.match(headers['content-disposition'] ?? '', /filename/);
  });

  test('get the path prefix of the config', async (t) => {
    const delivery = createWebServerDelivery({ ...settings, via: 'x-accel-redirect', prefix: '/inside/' });
    const testServer = await startTestFileServer(t, { delivery });
    const file = await testServer.storeFile('bytes');
    const { headers } = await testServer.get(file.getPath, THROUGH);
    assert.equal(headers['x-accel-redirect'], `/inside/${await blobOf(testServer, file)}`);
  });

  test('come from Porter if the client bypasses the web server, without any path of the disk', async (t) => {
    const testServer = await startTestFileServer(t, { delivery: createWebServerDelivery(settings) });
    const file = await testServer.storeFile('bytes');
    const { headers, text } = await testServer.get(file.getPath);
    assert.deepEqual([headers['x-sendfile'], text], [undefined, 'bytes']);
  });

  test('come from Porter if an untrusted client sends proxy headers', async (t) => {
    const delivery = createWebServerDelivery({ ...settings, trustedProxies: () => NO_ADDRESS });
    const testServer = await startTestFileServer(t, { delivery });
    const file = await testServer.storeFile('bytes');
    const { headers, text } = await testServer.get(file.getPath, THROUGH);
    assert.deepEqual([headers['x-sendfile'], text], [undefined, 'bytes']);
  });

  test('come from Porter if a web server may read the request differently', async (t) => {
    const testServer = await startTestFileServer(t, { delivery: createWebServerDelivery(settings) });
    const file = await testServer.storeFile('bytes');
    for (const [headers, status] of [
      [{ Range: 'bytes=0-0,2-2' }, 200],
      [{ Range: 'bytes=3-1' }, 200],
      [{ Range: 'bytes=0-1', 'If-Range': '"other"' }, 200],
      [{ 'If-Match': `"${file.id}"` }, 200],
      [{ Range: 'bytes=9-' }, 416],
      [{ 'If-None-Match': `"${file.id}"` }, 304],
    ] as const) {
      const reply = await testServer.get(file.getPath, { ...THROUGH, ...headers });
      assert.equal(reply.status, status, JSON.stringify(headers));
      assert.equal(reply.headers['x-sendfile'], undefined, JSON.stringify(headers));
    }
    const head = await testServer.get(file.getPath, THROUGH, 'HEAD');
    assert.deepEqual([head.headers['content-length'], head.headers['x-sendfile']], ['5', undefined]);
  });

  test('are 404 after they are removed', async (t) => {
    const testServer = await startTestFileServer(t, {
      delivery: createWebServerDelivery(settings),
      cacheTrustMs: 0,
    });
    const file = await testServer.storeFile('bytes');
    await testServer.services.ledger.remove({
      ids: [file.id],
      reason: 'deleted',
      detail: '',
      now: Date.now(),
    });
    const { status, headers } = await testServer.get(file.getPath, THROUGH);
    assert.deepEqual([status, headers['x-sendfile']], [404, undefined]);
  });
});

describe('the data plane', () => {
  test('serves no files of slots if a web server does, but still accepts uploads', async (t) => {
    const testServer = await startTestFileServer(t);
    const at = await listen(t, testServer, (plane) => withoutSlotDownloads(plane));
    const slot = await testServer.grantSlot({ size: 5 });
    const put = await sendRequest(at, slot.putPath, {
      method: 'PUT',
      headers: { 'Content-Length': '5' },
      body: 'bytes',
    });
    assert.equal(put.status, 201);
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await sendRequest(at, slot.getPath, { method });
      assert.deepEqual(
        [status, headers['content-length'], text],
        [404, method === 'HEAD' ? undefined : '0', ''],
      );
    }
    assert.equal((await sendRequest(at, slot.getPath, { method: 'OPTIONS' })).status, 200);
  });

  test('echoes only requests of the doctor', async (t) => {
    const testServer = await startTestFileServer(t);
    const deps = {
      ledger: testServer.services.ledger,
      trustedProxies: () => LOOPBACK,
      resumable: () => ({ interimResponses: 'auto', trustedProxies: LOOPBACK }) as const,
      discover: async () => null,
    };
    const at = await listen(t, testServer, (plane) => withEchoEndpoint(deps, plane));
    const checkup = createProbeUploads(testServer.services);
    const { token } = await checkup.requestSlot({ name: 'a.txt', size: 1, type: 'text/plain' });
    const headers = {
      ...THROUGH,
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'up.example',
      'Content-Type': 'image/x',
      Authorization: 'Bearer x',
    };
    const shown = await sendRequest(at, `${putUrl('', token, 'a.txt')}?v=1`, { headers });
    assert.deepEqual(JSON.parse(shown.text), {
      address: '192.0.2.1',
      protocol: 'https',
      host: 'up.example',
      contentType: 'image/x',
      authorization: 'Bearer x',
      query: 'v=1',
      sendsInterim: false,
    });

    const slot = await testServer.grantSlot({ jid: 'romeo@example.org' });
    const other = await sendRequest(at, slot.putPath, { headers });
    assert.deepEqual([other.status, other.text], [405, '']);
    const unknown = await sendRequest(at, putUrl('', '0'.repeat(26), 'a.txt'), { headers });
    assert.deepEqual([unknown.status, unknown.text], [405, '']);

    await checkup.close();
    assert.equal((await sendRequest(at, putUrl('', token, 'a.txt'), { headers })).status, 405);
    assert.deepEqual(
      (await testServer.services.ledger.listOwners({ limit: 10 })).map(({ owner }) => owner),
      ['romeo@example.org'],
    );
  });
});

type Started = Awaited<ReturnType<typeof startTestFileServer>>;

async function listen(
  t: Parameters<typeof startTestFileServer>[0],
  { services, dataPlane }: Started,
  wrap: (plane: Started['dataPlane']) => ReturnType<typeof withoutSlotDownloads>,
) {
  const server = new HttpServer(
    {
      log: services.log,
      dataPlane: wrap(dataPlane),
      route: (_request, response) => response.writeHead(404).end(),
    },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  const [address] = server.addresses;
  return { host: '127.0.0.1', port: address && 'port' in address ? address.port : 0 };
}
