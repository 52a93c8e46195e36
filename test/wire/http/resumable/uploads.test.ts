import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { sha256Hex } from '../../../../src/base/ids.ts';
import { RawConnection } from '../../../support/raw-connection.ts';
import { type ResumableClient, resumableClient } from '../../../support/resumable-client.ts';
import {
  startTestFileServer,
  type TestFileServer,
  type TestFileServerOptions,
  type TestSlot,
} from '../../../support/test-file-server.ts';
import { MINUTE } from '../../../support/test-services.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const SIZE = 200_000;
const BODY = Buffer.alloc(SIZE, 'a resumable upload. ');

const resumable = { interimResponses: 'always', trustedProxies: () => false } as const;

interface Scene {
  readonly server: TestFileServer;
  readonly client: ResumableClient;
  readonly slot: TestSlot;
}

async function openScene(
  t: TestContext,
  { version = '8', ...options }: TestFileServerOptions & { version?: string | null } = {},
): Promise<Scene> {
  const server = await startTestFileServer(t, { ...options, settings: { resumable, ...options.settings } });
  const slot = await server.grantSlot({ size: SIZE });
  return { server, slot, client: resumableClient(server.port, version) };
}

const idle = (server: TestFileServer) => waitUntil(() => server.dataPlane.transfersInFlight() === 0);

/** Begins an upload and leaves it with `bytes` bytes. Returns its resource. */
async function beginAndPause({ client, slot }: Scene, bytes = 1000): Promise<string> {
  const created = await client.create(slot.putPath, {
    bytes: BODY.subarray(0, bytes),
    complete: false,
    length: SIZE,
  });
  assert.equal(created.status, 201);
  assert.equal(created.complete, false);
  assert.equal(created.offset, bytes);
  assert.ok(created.resource);
  return created.resource;
}

async function keysOf({ services }: TestFileServer): Promise<string[]> {
  return (await Array.fromAsync(services.blobs.list())).map(({ key }) => key);
}

const stateOf = async ({ server, slot }: Scene) => (await server.services.ledger.find(slot.id))?.state;

async function assertStored({ server, slot }: Scene): Promise<void> {
  assert.ok((await server.get(slot.getPath)).body.equals(BODY));
  assert.equal((await keysOf(server)).length, 1);
}

for (const version of ['8', '9']) {
  describe(`a resumable upload of interop version ${version}`, () => {
    test('is announced by 104 and stored by one request', async (t) => {
      const scene = await openScene(t, { version });
      const created = await scene.client.create(scene.slot.putPath, { bytes: BODY, complete: true });
      assert.equal(created.status, 201);
      assert.equal(created.complete, true);
      const [first] = created.interim;
      assert.equal(first?.status, 104);
      assert.equal(first.headers['upload-draft-interop-version'], version);
      assert.match(String(first.headers['upload-limit']), new RegExp(`^max-size=${SIZE}, max-age=\\d+$`));
      assert.ok(created.resource);
      await assertStored(scene);
      const state = await scene.client.head(created.resource);
      assert.deepEqual([state.status, state.complete, state.offset], [204, true, SIZE]);
    });

    test('goes on where its connection broke off', async (t) => {
      const scene = await openScene(t, { version });
      const { server, client, slot } = scene;
      const cut = await client.create(slot.putPath, { bytes: BODY, complete: true, cutAfter: 70_000 });
      assert.ok(cut.resource);
      const offset = await offsetWhenIdle(scene, cut.resource);
      assert.equal(offset, 70_000);
      const { resource } = cut;
      await client
        .append(resource, { offset, bytes: BODY.subarray(offset), complete: true, cutAfter: 500 })
        .catch(() => undefined);
      await idle(server);
      const next = (await client.head(resource)).offset ?? 0;
      const done = await client.append(resource, {
        offset: next,
        bytes: BODY.subarray(next),
        complete: true,
      });
      assert.deepEqual([done.status, done.complete], [201, true]);
      await assertStored(scene);
    });

    test('comes in parts that the client chooses', async (t) => {
      const scene = await openScene(t, { version });
      const { client, slot } = scene;
      const created = await client.create(slot.putPath, { bytes: new Uint8Array(), complete: false });
      assert.deepEqual([created.status, created.offset, created.complete], [201, 0, false]);
      assert.ok(created.resource);
      for (let offset = 0; offset < SIZE; offset += 50_000) {
        const part = BODY.subarray(offset, offset + 50_000);
        const answer = await client.append(created.resource, { offset, bytes: part, complete: false });
        assert.deepEqual([answer.status, answer.offset, answer.complete], [204, offset + 50_000, false]);
      }
      assert.equal(await stateOf(scene), 'issued', 'only the client ends an upload');
      const end = { offset: SIZE, bytes: new Uint8Array(), complete: true };
      const done = await client.append(created.resource, end);
      assert.deepEqual([done.status, done.complete], [201, true]);
      assert.equal((await client.append(created.resource, end)).status, 201, 'its answer may have been lost');
      await assertStored(scene);
    });
  });
}

async function offsetWhenIdle({ server, client }: Scene, resource: string): Promise<number> {
  // Bytes that the client has sent may still be on their way.
  await waitUntil(async () => server.dataPlane.transfersInFlight() === 0);
  return (await client.head(resource)).offset ?? -1;
}

describe('an upload resource', () => {
  test('refuses every offset but the next byte', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const headers = { Accept: 'application/problem+json' };
    for (const offset of [0, 999, 1001, SIZE, SIZE + 1, 999_999_999_999_999]) {
      const bytes = BODY.subarray(0, 10);
      const answer = await scene.client.append(resource, { offset, bytes, complete: false, headers });
      assert.deepEqual([answer.status, answer.offset, answer.complete], [409, 1000, false], String(offset));
      const problem = JSON.parse(answer.body);
      assert.match(problem.type, /#mismatching-upload-offset$/);
      assert.deepEqual([problem['expected-offset'], problem['provided-offset']], [1000, offset]);
    }
    assert.equal((await scene.client.head(resource)).offset, 1000);
  });

  test('refuses malformed headers and changes nothing', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const good = {
      'Content-Type': 'application/partial-upload',
      'Upload-Offset': '1000',
      'Upload-Complete': '?0',
    };
    const cases: [Record<string, string>, number][] = [
      [{ 'Upload-Offset': '-1' }, 400],
      [{ 'Upload-Offset': '1e3' }, 400],
      [{ 'Upload-Offset': '1000, 1000' }, 400],
      [{ 'Upload-Offset': '9999999999999999' }, 400],
      [{ 'Upload-Offset': '' }, 400],
      [{ 'Upload-Complete': 'true' }, 400],
      [{ 'Upload-Complete': '?2' }, 400],
      [{ 'Content-Type': 'application/octet-stream' }, 415],
      [{ 'Upload-Complete': '?1', 'Upload-Length': '7' }, 400],
      [{ 'Upload-Complete': '?1' }, 400],
      [{ 'Upload-Length': String(SIZE + 1) }, 400],
    ];
    for (const [change, status] of cases) {
      const wire = await RawConnection.open(t, scene.server.port);
      const lines = Object.entries({ ...good, ...change }).map(([name, value]) => `${name}: ${value}\r\n`);
      wire.send(`PATCH ${resource} HTTP/1.1\r\nHost: h\r\n${lines.join('')}Content-Length: 3\r\n\r\nabc`);
      await wire.waitFor(`HTTP/1.1 ${status} `);
      wire.socket.destroy();
      assert.equal((await scene.client.head(resource)).offset, 1000, JSON.stringify(change));
    }
    const wire = await RawConnection.open(t, scene.server.port);
    const twice = 'Upload-Offset: 1000\r\nUpload-Offset: 1000\r\n';
    wire.send(
      `PATCH ${resource} HTTP/1.1\r\nHost: h\r\n${twice}Upload-Complete: ?0\r\nContent-Type: application/partial-upload\r\nContent-Length: 3\r\n\r\nabc`,
    );
    await wire.waitFor('HTTP/1.1 400 ');
    assert.equal((await scene.client.head(resource)).offset, 1000);
  });

  test('is unknown without its secret', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const [path = ''] = resource.split('?');
    for (const secret of ['0'.repeat(26), sha256Hex('x').slice(0, 26)]) {
      const target = `${path}?upload-resource=${secret}`;
      assert.equal((await scene.client.head(target)).status, 404);
      assert.equal((await scene.client.cancel(target)).status, 404);
      const bytes = Buffer.from('abc');
      assert.equal((await scene.client.append(target, { offset: 1000, bytes, complete: false })).status, 404);
    }
    assert.equal((await scene.client.head(resource)).offset, 1000);
  });

  test('ends with the first byte too many', async (t) => {
    const scene = await openScene(t);
    const { client, server } = scene;
    const resource = await beginAndPause(scene);
    const answer = await client.append(resource, {
      offset: 1000,
      bytes: BODY,
      complete: false,
      isChunked: true,
    });
    assert.equal(answer.status, 400);
    assert.equal((await client.head(resource)).status, 404);
    await server.services.blobDeleter.idle();
    assert.deepEqual(await keysOf(server), []);
    assert.equal((await server.put(scene.slot, BODY)).status, 201, 'the slot can be used again');
  });

  test('keeps what came before a chunked body broke off', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const wire = await RawConnection.open(t, scene.server.port);
    wire.send(
      `PATCH ${resource} HTTP/1.1\r\nHost: h\r\nUpload-Offset: 1000\r\nUpload-Complete: ?1\r\n` +
        `Content-Type: application/partial-upload\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n${BODY.subarray(1000, 1500)}\r\n`,
    );
    await waitUntil(() => scene.server.services.transfers.inFlight().bytes === 500);
    wire.reset();
    assert.equal(await offsetWhenIdle(scene, resource), 1500);
    assert.equal(await stateOf(scene), 'issued');
  });

  test('does not take the end of a shorter body for the end of the file', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const bytes = BODY.subarray(1000, 2000);
    const answer = await scene.client.append(resource, {
      offset: 1000,
      bytes,
      complete: true,
      isChunked: true,
    });
    assert.deepEqual([answer.status, answer.offset, answer.complete], [400, 2000, false]);
    assert.equal(await stateOf(scene), 'issued');
  });

  test('takes nothing after the file is complete', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const rest = { offset: 1000, bytes: BODY.subarray(1000), complete: true };
    assert.equal((await scene.client.append(resource, rest)).status, 201);
    const bytes = Buffer.from('more');
    const more = await scene.client.append(resource, { offset: SIZE, bytes, complete: false });
    assert.deepEqual([more.status, more.complete], [400, false]);
    assert.equal((await scene.client.append(resource, rest)).status, 409);
    assert.equal((await scene.client.cancel(resource)).status, 409);
    await assertStored(scene);
  });

  test('is cancelled with its bytes', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    assert.equal((await scene.client.cancel(resource)).status, 204);
    assert.equal((await scene.client.head(resource)).status, 404);
    await scene.server.services.blobDeleter.idle();
    assert.deepEqual(await keysOf(scene.server), []);
    assert.equal((await scene.server.put(scene.slot, BODY)).status, 201);
  });

  test('allows only its methods', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const refused = await scene.server.get(resource, {}, 'POST');
    assert.equal(refused.status, 405);
    assert.equal(refused.headers.allow, 'OPTIONS, HEAD, GET, PATCH, DELETE');
    const options = await scene.server.get(resource, {}, 'OPTIONS');
    assert.match(String(options.headers['access-control-allow-methods']), /PATCH/);
    assert.equal((await scene.server.get(resource)).headers['cache-control'], 'no-store');
  });

  test('is gone after its time, with its bytes and its charge', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    scene.server.advance(61 * MINUTE);
    assert.equal((await scene.client.head(resource)).status, 404);
    const bytes = BODY.subarray(1000);
    assert.equal((await scene.client.append(resource, { offset: 1000, bytes, complete: true })).status, 404);
  });

  test('is gone when its bytes are missing', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    await scene.server.services.blobs.remove(await keysOf(scene.server));
    assert.equal((await scene.client.head(resource)).status, 404);
    assert.equal((await scene.server.put(scene.slot, BODY)).status, 201);
  });
});

describe('requests at the same time', () => {
  /** Begins a PATCH that sends half of the rest and then nothing. */
  async function beginAppend(t: TestContext, { server }: Scene, resource: string) {
    const wire = await RawConnection.open(t, server.port);
    wire.send(
      `PATCH ${resource} HTTP/1.1\r\nHost: h\r\nUpload-Offset: 1000\r\nUpload-Complete: ?1\r\n` +
        `Content-Type: application/partial-upload\r\nContent-Length: ${SIZE - 1000}\r\n\r\n`,
    );
    wire.send(BODY.subarray(1000, 5000));
    await waitUntil(() => server.services.transfers.inFlight().bytes === 4000);
    return wire;
  }

  test('end the earlier one: HEAD reports all its bytes', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const wire = await beginAppend(t, scene, resource);
    const state = await scene.client.head(resource);
    assert.deepEqual([state.status, state.offset], [204, 5000]);
    await wire.waitFor('HTTP/1.1 409 ');
    const rest = { offset: 5000, bytes: BODY.subarray(5000), complete: true };
    assert.equal((await scene.client.append(resource, rest)).status, 201);
    await assertStored(scene);
  });

  test('end the earlier one: an append goes on behind it, or gets the offset', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    await beginAppend(t, scene, resource);
    const late = await scene.client.append(resource, {
      offset: 1000,
      bytes: BODY.subarray(1000),
      complete: true,
    });
    assert.deepEqual([late.status, late.offset], [409, 5000]);
    const rest = { offset: 5000, bytes: BODY.subarray(5000), complete: true };
    assert.equal((await scene.client.append(resource, rest)).status, 201);
    await assertStored(scene);
  });

  test('end the earlier one: DELETE removes all its bytes', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    await beginAppend(t, scene, resource);
    assert.equal((await scene.client.cancel(resource)).status, 204);
    await idle(scene.server);
    await scene.server.services.blobDeleter.idle();
    assert.deepEqual(await keysOf(scene.server), []);
  });

  test('store one file, whatever their order', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    const rest = { offset: 1000, bytes: BODY.subarray(1000), complete: true };
    const answers = await Promise.allSettled(
      Array.from({ length: 8 }, () => scene.client.append(resource, rest)),
    );
    for (;;) {
      const { offset = 0, complete } = await scene.client.head(resource);
      if (complete) break;
      await scene.client.append(resource, { offset, bytes: BODY.subarray(offset), complete: true });
    }
    const stored = answers.filter((one) => one.status === 'fulfilled' && one.value.status === 201);
    assert.ok(stored.length <= 1);
    await assertStored(scene);
  });
});

describe('a PUT', () => {
  test('gets no 104 without a version that Porter speaks, or without Upload-Complete', async (t) => {
    const { server, client, slot } = await openScene(t, { version: null });
    const plain = await client.create(slot.putPath, { bytes: BODY, complete: true });
    assert.deepEqual([plain.status, plain.interim, plain.complete], [201, [], undefined]);
    for (const version of ['7', '10', '8, 8', '8.0', 'x']) {
      const other = await server.grantSlot({ size: SIZE });
      const answer = await resumableClient(server.port, version).create(other.putPath, {
        bytes: BODY,
        complete: true,
      });
      assert.deepEqual([answer.status, answer.interim, answer.complete], [201, [], undefined], version);
    }
    const third = await server.grantSlot({ size: SIZE });
    const headers = { 'Upload-Draft-Interop-Version': '8' };
    const answer = await server.put(third, BODY, headers);
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['upload-complete'], undefined);
  });

  test('is plain if 104 cannot be sent: through a proxy, or over HTTP/1.0', async (t) => {
    const settings = { resumable: { interimResponses: 'auto', trustedProxies: () => false } as const };
    const { server, client, slot } = await openScene(t, { settings });
    const direct = await client.create(slot.putPath, { bytes: BODY, complete: true });
    assert.equal(direct.interim.length > 0, true);
    const proxied = await server.grantSlot({ size: SIZE });
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const plain = await client.create(proxied.putPath, { bytes: BODY, complete: true, headers });
    assert.deepEqual([plain.status, plain.interim, plain.complete], [201, [], undefined]);
    const old = await server.grantSlot({ size: 5 });
    const wire = await RawConnection.open(t, server.port);
    wire.send(
      `PUT ${old.putPath} HTTP/1.0\r\nUpload-Draft-Interop-Version: 8\r\nUpload-Complete: ?1\r\nContent-Length: 5\r\n\r\nhello`,
    );
    assert.match(await wire.waitForClose(), /^HTTP\/1\.1 201 /);
    // A client that creates the resource without a body needs no 104.
    const parts = await server.grantSlot({ size: SIZE });
    const created = await client.create(parts.putPath, { bytes: new Uint8Array(), complete: false, headers });
    assert.deepEqual([created.status, created.interim], [201, []]);
    assert.ok(created.resource);
  });

  test('of the whole file replaces an unfinished resumable one', async (t) => {
    const scene = await openScene(t);
    const resource = await beginAndPause(scene);
    assert.equal((await scene.server.put(scene.slot, BODY)).status, 201);
    assert.equal((await scene.client.head(resource)).status, 404);
    scene.server.services.blobDeleter.wake();
    await scene.server.services.blobDeleter.idle();
    await assertStored(scene);
  });

  test('that waits for 100 gets it after 104', async (t) => {
    const scene = await openScene(t);
    const wire = await RawConnection.open(t, scene.server.port);
    wire.send(
      `PUT ${scene.slot.putPath} HTTP/1.1\r\nHost: h\r\nUpload-Draft-Interop-Version: 8\r\nUpload-Complete: ?1\r\n` +
        `Expect: 100-continue\r\nContent-Length: ${SIZE}\r\n\r\n`,
    );
    const text = await wire.waitFor('100 Continue');
    assert.match(
      text,
      /^HTTP\/1\.1 104 Upload Resumption Supported\r\nLocation: \?upload-resource=[0-9a-z]{26}\r\n/,
    );
    wire.send(BODY);
    await wire.waitFor('HTTP/1.1 201 ');
    await assertStored(scene);
  });

  test('of a small file is stored at once, without a resource', async (t) => {
    const scene = await openScene(t);
    const slot = await scene.server.grantSlot({ size: 5 });
    const answer = await scene.client.create(slot.putPath, { bytes: Buffer.from('hello'), complete: true });
    assert.deepEqual([answer.status, answer.complete, answer.resource], [201, true, undefined]);
  });

  test('of another size than its slot is refused before it is read', async (t) => {
    const { server, client, slot } = await openScene(t);
    for (const options of [
      { bytes: BODY.subarray(1), complete: true },
      { bytes: BODY.subarray(0, 10), complete: false, length: SIZE - 1 },
    ]) {
      const answer = await client.create(slot.putPath, options);
      assert.deepEqual([answer.status, answer.interim], [400, []]);
    }
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('is answered as before if resumable uploads are off', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    const client = resumableClient(server.port, '8');
    const answer = await client.create(slot.putPath, { bytes: BODY, complete: true });
    assert.deepEqual([answer.status, answer.interim, answer.complete], [201, [], undefined]);
    const options = await server.get(slot.putPath, {}, 'OPTIONS');
    assert.equal(options.headers['accept-patch'], undefined);
  });

  test('can be discovered to be resumable by OPTIONS', async (t) => {
    const { server, slot } = await openScene(t);
    const { headers } = await server.get(slot.putPath, {}, 'OPTIONS');
    assert.equal(headers['accept-patch'], 'application/partial-upload');
    assert.equal(headers['upload-limit'], 'min-size=0');
    for (const name of ['upload-offset', 'upload-complete', 'upload-draft-interop-version'])
      assert.match(String(headers['access-control-allow-headers']), new RegExp(name, 'i'));
    assert.match(
      String(headers['access-control-expose-headers']),
      /Location, Upload-Offset, Upload-Complete/,
    );
  });
});
