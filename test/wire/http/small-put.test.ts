import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';
import { deleteFilesOfDeadWriters } from '../../../src/uploads/blobs/dead-writers.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestFileServer, type TestSlot } from '../../support/test-file-server.ts';

const BODY = 'x'.repeat(100);
const CREATED = /^HTTP\/1\.1 201 /gm;

const head = (slot: TestSlot, more = '') =>
  `PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nContent-Length: ${slot.size}\r\n${more}\r\n`;

/** A server that records the calls of its ledger that write. */
async function start(t: TestContext) {
  const calls: string[] = [];
  const record = (ledger: Ledger): Ledger =>
    new Proxy(ledger, {
      get(target, name: keyof Ledger) {
        if (['claim', 'commit', 'storeSlot', 'release'].includes(name)) calls.push(name);
        return target[name];
      },
    });
  const server = await startTestFileServer(t, { ledger: record });
  return { server, calls };
}

async function assertStored(server: TestFileServer, slot: TestSlot): Promise<void> {
  assert.equal((await server.get(slot.getPath)).text, BODY);
  await server.services.blobDeleter.idle();
  assert.deepEqual(await pendingKeys(server.services.ledger), []);
  assert.equal((await Array.fromAsync(server.services.blobs.list())).length, 1);
}

describe('a small upload', () => {
  test('that comes in one packet is stored in one transaction', async (t) => {
    const { server, calls } = await start(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot) + BODY);
    await wire.waitFor(CREATED);
    assert.deepEqual(calls, ['storeSlot']);
    await assertStored(server, slot);
  });

  test('whose body comes late is claimed before it is written', async (t) => {
    const { server, calls } = await start(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot) + BODY.slice(1));
    while (!calls.includes('claim')) await nextTurn();
    wire.send('x');
    await wire.waitFor(CREATED);
    assert.deepEqual(calls, ['claim', 'commit']);
    await assertStored(server, slot);
  });

  test('of a client that waits for 100 Continue, or of unknown length, is claimed', async (t) => {
    const { server, calls } = await start(t);
    const [waiting, chunked] = [await server.grantSlot(), await server.grantSlot()];
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(waiting, 'Expect: 100-continue\r\n'));
    await wire.waitFor('HTTP/1.1 100 Continue');
    wire.send(BODY);
    await wire.waitFor(CREATED);
    const chunkedHead = `PUT ${chunked.putPath} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const { status } = await server.put(chunked, BODY);
    assert.equal(status, 201);
    const other = await RawConnection.open(t, server.port);
    other.send(`${chunkedHead}64\r\n${BODY}\r\n0\r\n\r\n`);
    assert.match(await other.waitFor('\r\n\r\n'), /^HTTP\/1\.1 (201|411) /);
    assert.deepEqual(calls.slice(0, 2), ['claim', 'commit']);
  });

  test('leaves its connection ready for the next request, also for pipelined ones', async (t) => {
    const { server } = await start(t);
    const slots = [await server.grantSlot(), await server.grantSlot(), await server.grantSlot()];
    const wire = await RawConnection.open(t, server.port);
    wire.send(slots.map((slot) => head(slot) + BODY).join(''));
    while ((wire.text.match(CREATED) ?? []).length < 3) await nextTurn();
    for (const slot of slots) assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('is answered 201 again if it is repeated, and 409 with other bytes', async (t) => {
    const { server } = await start(t);
    const slot = await server.grantSlot();
    for (const [body, status] of [
      [BODY, 201],
      [BODY, 201],
      ['y'.repeat(100), 409],
    ] as const)
      assert.equal((await server.put(slot, body)).status, status);
    await assertStored(server, slot);
  });

  test('that is sent twice at once is stored once, and both are answered 201', async (t) => {
    const { server } = await start(t);
    const slot = await server.grantSlot();
    const answers = await Promise.all([server.put(slot, BODY), server.put(slot, BODY)]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201, 201],
    );
    await assertStored(server, slot);
  });

  test('of a process that was declared dead is claimed, and stored as ever', async (t) => {
    const { server, calls } = await start(t);
    await server.services.ledger.removeInstances(['test']);
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.deepEqual(calls, ['storeSlot', 'claim', 'commit']);
    await assertStored(server, slot);
  });

  test('that a killed process has written leaves no bytes after a sweep', async (t) => {
    const killed = new Promise<never>(() => {});
    const written = Promise.withResolvers<void>();
    const server = await startTestFileServer(t, {
      ledger: (ledger) => ({
        ...ledger,
        storeSlot: () => {
          written.resolve();
          return killed;
        },
      }),
    });
    const { services } = server;
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(await server.grantSlot()) + BODY);
    await written.promise;
    await deleteFilesOfDeadWriters(services);
    const files = () => Array.fromAsync(services.blobs.list());
    assert.equal((await files()).length, 1, 'its process may still run');
    await services.ledger.removeInstances(['test']);
    await deleteFilesOfDeadWriters(services);
    assert.deepEqual(await files(), []);
    assert.deepEqual(await services.ledger.listDeadWriters(), []);
  });
});
