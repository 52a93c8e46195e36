import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestFileServer, type TestSlot } from '../../support/test-file-server.ts';
import { MINUTE } from '../../support/test-services.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SIZE = 200_000;
const BODY = Buffer.alloc(SIZE, 'abc');

const head = (slot: TestSlot) =>
  `PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nContent-Length: ${slot.size}\r\n\r\n`;

async function begin(
  server: TestFileServer,
  t: Parameters<typeof RawConnection.open>[0],
  slot: TestSlot,
  bytes = 1000,
) {
  const wire = await RawConnection.open(t, server.port);
  wire.send(head(slot));
  wire.send(BODY.subarray(0, bytes));
  return wire;
}

async function blobsOf({ services }: TestFileServer): Promise<string[]> {
  const listed = await Array.fromAsync(services.blobs.list());
  return listed.map(({ key }) => key);
}

const stateOf = async ({ services }: TestFileServer, slot: TestSlot) =>
  (await services.ledger.find(slot.id))?.state;
const idle = (server: TestFileServer) => waitUntil(() => server.dataPlane.transfersInFlight() === 0);

describe('an interrupted upload', () => {
  test('leaves nothing behind, and its slot can be tried again', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    for (const bytes of [0, 1, 1000, SIZE - 1]) {
      const wire = await begin(server, t, slot, bytes);
      await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
      wire.reset();
      await idle(server);
      assert.deepEqual(await blobsOf(server), []);
      assert.equal(await stateOf(server, slot), 'issued');
    }
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.ok((await server.get(slot.getPath)).body.equals(BODY));
  });

  test('leaves nothing behind if the client ends the connection midway', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    const wire = await begin(server, t, slot);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    wire.socket.end();
    await wire.waitForClose();
    await idle(server);
    assert.deepEqual(await blobsOf(server), []);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('leaves no file, no handle and no charge after a thousand repetitions', async (t) => {
    const server = await startTestFileServer(t);
    const handles = () => readdirSync('/proc/self/fd').length;
    // Files that stay open, such as the ledger's, are opened before the count.
    await server.storeFile(BODY).then((slot) => server.get(slot.getPath));
    const before = handles();
    for (let round = 0; round < 20; round += 1) {
      const slots = await Promise.all(Array.from({ length: 50 }, () => server.grantSlot({ size: SIZE })));
      const wires = await Promise.all(slots.map((slot, at) => begin(server, t, slot, at * 3999)));
      await waitUntil(() => server.dataPlane.transfersInFlight() > 0);
      for (const wire of wires) wire.reset();
      await Promise.all(wires.map((wire) => wire.waitForClose()));
    }
    await idle(server);
    await waitUntil(() => handles() <= before);
    assert.equal((await blobsOf(server)).length, 1);
    const { ledger, clock } = server.services;
    server.advance(6 * MINUTE);
    assert.equal((await ledger.sweep({ kind: 'unused', limit: 2000, now: clock() })).count, 1000);
    assert.deepEqual(await ledger.usage('romeo@example.org'), {
      uploads: 1,
      bytes: SIZE,
      pendingUploads: 0,
      pendingBytes: 0,
    });
  });

  test('is 408 if the client sends nothing for the idle timeout', async (t) => {
    const server = await startTestFileServer(t, { settings: { idleTimeoutMs: 50 } });
    const slot = await server.grantSlot({ size: SIZE });
    const wire = await begin(server, t, slot);
    assert.match(await wire.waitFor('Try again.\n'), /^HTTP\/1\.1 408 /);
    await idle(server);
    assert.deepEqual(await blobsOf(server), []);
    server.changeSettings({ idleTimeoutMs: 60_000 });
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('is not one that is slow: only silence counts', async (t) => {
    const server = await startTestFileServer(t, { settings: { idleTimeoutMs: 1000 } });
    const slot = await server.grantSlot({ size: 60 });
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot));
    for (let byte = 0; byte < 60; byte += 1) {
      wire.send('z');
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 201 /);
  });
});

describe('two uploads to one slot at once', () => {
  test('with different bytes: exactly one is stored, whole', async (t) => {
    const server = await startTestFileServer(t);
    for (let round = 0; round < 5; round += 1) {
      const slot = await server.grantSlot({ size: SIZE });
      const bodies = Array.from({ length: 8 }, (_, at) => Buffer.alloc(SIZE, `${at}`));
      const replies = await Promise.all(bodies.map((body) => server.put(slot, body)));
      const won = replies.findIndex(({ status }) => status === 201);
      assert.deepEqual(replies.map(({ status }) => status).toSorted(), [
        201,
        ...Array.from({ length: 7 }, () => 409),
      ]);
      assert.ok((await server.get(slot.getPath)).body.equals(bodies[won] ?? Buffer.alloc(0)));
    }
  });

  test('the second is 409 while the first is alive', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    const first = await begin(server, t, slot);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    assert.equal((await server.put(slot, BODY)).status, 409);
    first.send(BODY.subarray(1000));
    await first.waitFor('201 Created');
  });

  test('the second replaces a first that sends nothing any more, as from phones that change networks', async (t) => {
    const server = await startTestFileServer(t, { takeoverAfter: 0 });
    const slot = await server.grantSlot({ size: SIZE });
    const first = await begin(server, t, slot);
    await waitUntil(() => server.services.transfers.inFlight().uploads === 1);
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.match(await first.waitFor('\r\n\r\n'), /^HTTP\/1\.1 409 /);
    assert.ok((await server.get(slot.getPath)).body.equals(BODY));
    assert.equal((await blobsOf(server)).length, 1);
  });

  test('the second with the same bytes is 201 as well while the first is being made durable', async (t) => {
    const { promise: durable, resolve: makeDurable } = Promise.withResolvers<void>();
    let isWritten = false;
    const server = await startTestFileServer(t, {
      blobs: (real) => ({
        ...real,
        async put(key, batches) {
          const size = await real.put(key, batches);
          isWritten = true;
          await durable;
          return size;
        },
      }),
    });
    const slot = await server.grantSlot({ size: SIZE });
    const first = server.put(slot, BODY);
    await waitUntil(() => isWritten);
    const second = server.put(slot, BODY);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 2);
    makeDurable();
    assert.deepEqual([(await first).status, (await second).status], [201, 201]);
  });
});

describe('a server that stops', () => {
  test('refuses new uploads but completes those in flight', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    const wire = await begin(server, t, slot);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    const closing = server.dataPlane.close();
    const late = await server.put(await server.grantSlot({ size: SIZE }), BODY);
    assert.equal(late.status, 503);
    assert.equal(late.headers['retry-after'], '5');
    wire.send(BODY.subarray(1000));
    await wire.waitFor('201 Created');
    await closing;
    assert.equal(await stateOf(server, slot), 'stored');
  });

  test('and aborts transfers leaves no partial upload', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: SIZE });
    await begin(server, t, slot);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    await Promise.all([server.dataPlane.close(), server.server.stop({ graceMs: 0 })]);
    assert.deepEqual(await blobsOf(server), []);
    assert.equal(await stateOf(server, slot), 'issued');
  });
});
