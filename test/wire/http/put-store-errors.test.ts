import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlobError, type BlobStore } from '../../../src/blobs/contract.ts';
import { type Ledger, LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestFileServer, type TestSlot } from '../../support/test-file-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

const BODY = 'x'.repeat(100);

/** Fails a given number of times. */
function createFailures() {
  let left = 0;
  return {
    fail: (times: number) => {
      left = times;
    },
    check(error: Error): void {
      if (left === 0) return;
      left -= 1;
      throw error;
    },
  };
}

/** A real store whose `put` fails on request, after it has accepted some bytes. */
function failingPut(real: BlobStore, failures: ReturnType<typeof createFailures>, error: Error): BlobStore {
  async function* cut(batches: AsyncIterable<readonly Uint8Array[]>) {
    for await (const batch of batches) {
      yield batch;
      failures.check(error);
    }
  }
  return { ...real, put: (key, batches) => real.put(key, cut(batches)) };
}

async function assertNothingLeft(server: TestFileServer, slot: TestSlot): Promise<void> {
  await server.services.blobDeleter.idle();
  assert.deepEqual(await Array.fromAsync(server.services.blobs.list()), []);
  assert.equal((await server.services.ledger.find(slot.id))?.state, 'issued');
  assert.equal((await server.get(slot.getPath)).status, 404);
}

describe('an upload', () => {
  test('onto a full disk is 507, leaves nothing, and succeeds when there is room again', async (t) => {
    const disk = createFailures();
    const full = new BlobError('full', 'ENOSPC at write', new Error('/var/lib/secret/path'));
    const server = await startTestFileServer(t, { blobs: (real) => failingPut(real, disk, full) });
    const slot = await server.grantSlot();
    disk.fail(1);
    const reply = await server.put(slot, BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /no storage space/i);
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    await assertNothingLeft(server, slot);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('that meets a full disk early is refused at once, before the last byte', async (t) => {
    const disk = createFailures();
    const full = new BlobError('full', 'ENOSPC at write');
    const server = await startTestFileServer(t, { blobs: (real) => failingPut(real, disk, full) });
    const slot = await server.grantSlot({ size: 50_000_000 });
    disk.fail(1);
    const wire = await RawConnection.open(t, server.port);
    wire.send(`PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nContent-Length: ${slot.size}\r\n\r\n`);
    wire.send(Buffer.alloc(4_000_000));
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 507 /);
  });

  test('whose bytes cannot be made durable is 500 with an id and no details, and is never partly stored', async (t) => {
    const disk = createFailures();
    const broken = new BlobError('failed', 'EIO at fdatasync', new Error('/var/lib/secret/path'));
    const server = await startTestFileServer(t, {
      blobs: (real) => ({
        ...real,
        async put(key, batches) {
          const size = await real.put(key, batches);
          try {
            disk.check(broken);
          } catch (error) {
            await real.remove([key]);
            throw error;
          }
          return size;
        },
      }),
    });
    const slot = await server.grantSlot();
    disk.fail(1);
    const reply = await server.put(slot, BODY);
    assert.equal(reply.status, 500);
    assert.match(
      reply.text,
      /^Internal error [0-9a-z]{10}\. The log of the server has details under this id\.\n$/,
    );
    assert.ok(!/EIO|secret|fdatasync/.test(reply.text));
    await assertNothingLeft(server, slot);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('is 507 if the ledger has no space', async (t) => {
    const full = new LedgerError('full', 'no space');
    const server = await withLedger(t, () => ({ claim: () => Promise.reject(full) }));
    assert.equal((await server.put(await server.grantSlot(), BODY)).status, 507);
  });

  test('whose claim took effect with an unknown outcome is released, so that the next PUT is 201', async (t) => {
    const ledger = createFailures();
    const server = await withLedger(t, (real) => ({
      async claim(order) {
        const result = await real.claim(order);
        ledger.check(new LedgerError('unknown_outcome', 'the connection broke'));
        return result;
      },
    }));
    const slot = await server.grantSlot();
    ledger.fail(1);
    assert.equal((await server.put(slot, BODY)).status, 500);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('whose claim takes effect later is released in the background', async (t) => {
    const ledger = createFailures();
    let late: (() => Promise<unknown>) | undefined;
    const server = await withLedger(t, (real) => ({
      async claim(order) {
        late = () => real.claim(order);
        ledger.check(new LedgerError('unknown_outcome', 'the standby is away'));
        return real.claim(order);
      },
    }));
    const slot = await server.grantSlot();
    ledger.fail(1);
    assert.equal((await server.put(slot, BODY)).status, 500);
    await late?.();
    await waitUntil(async () => (await server.services.ledger.find(slot.id))?.state === 'issued');
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('whose commit fails is rolled back completely', async (t) => {
    const ledger = createFailures();
    const server = await withLedger(t, (real) => ({
      async commit(order) {
        ledger.check(new LedgerError('failed', 'down'));
        return real.commit(order);
      },
    }));
    const slot = await server.grantSlot();
    ledger.fail(1);
    assert.equal((await server.put(slot, BODY)).status, 500);
    await assertNothingLeft(server, slot);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('whose commit succeeded although its result was lost is 201', async (t) => {
    const server = await withLedger(t, (real) => ({
      async commit(order) {
        await real.commit(order);
        throw new LedgerError('failed', 'the connection broke');
      },
    }));
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('with an unknown commit result keeps its bytes, and its claim is released later', async (t) => {
    const ledger = createFailures();
    const check = async () => ledger.check(new LedgerError('failed', 'down'));
    const server = await withLedger(t, (real) => ({
      commit: (order) => check().then(() => real.commit(order)),
      find: (locator) => check().then(() => real.find(locator)),
      release: (order) => check().then(() => real.release(order)),
    }));
    const slot = await server.grantSlot();
    ledger.fail(3);
    assert.equal((await server.put(slot, BODY)).status, 500);
    assert.equal((await Array.fromAsync(server.services.blobs.list())).length, 1);
    await waitUntil(async () => (await server.services.ledger.find(slot.id))?.state === 'issued');
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('whose slot is removed meanwhile is refused, and its bytes are deleted', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(`PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx`);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 1);
    await waitUntil(async () => (await server.services.ledger.find(slot.id))?.state === 'receiving');
    const order = { reason: 'deleted', detail: '', now: server.services.clock() } as const;
    await server.services.ledger.remove({ ids: [slot.id], ...order });
    wire.send('x'.repeat(99));
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 403 /);
    await waitUntil(() => server.dataPlane.transfersInFlight() === 0);
    await server.services.blobDeleter.idle();
    assert.deepEqual(await Array.fromAsync(server.services.blobs.list()), []);
  });

  test('repeated for a file whose bytes are lost is 500', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    const row = await server.services.ledger.find(slot.id);
    await server.services.blobs.remove([row?.blob ?? '']);
    assert.equal((await server.put(slot, BODY)).status, 500);
  });
});

describe('a small upload without a claim', () => {
  type StoreSlot = Ledger['storeSlot'];
  const withStoreSlot = (
    t: Parameters<typeof startTestFileServer>[0],
    storeSlot: (real: Ledger, order: Parameters<StoreSlot>[0]) => ReturnType<StoreSlot>,
    more: (real: Ledger) => Partial<Ledger> = () => ({}),
  ) => withLedger(t, (real) => ({ storeSlot: (order) => storeSlot(real, order), ...more(real) }), false);

  test('is 507 if the ledger has no space, and leaves nothing', async (t) => {
    const server = await withStoreSlot(t, () => Promise.reject(new LedgerError('full', 'no space')));
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 507);
    await assertNothingLeft(server, slot);
  });

  test('whose transaction fails is rolled back completely, and the next one is claimed', async (t) => {
    const server = await withStoreSlot(t, () => Promise.reject(new LedgerError('failed', 'down')));
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 500);
    await assertNothingLeft(server, slot);
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('whose transaction succeeded although its result was lost is 201', async (t) => {
    const server = await withStoreSlot(t, async (real, order) => {
      await real.storeSlot(order);
      throw new LedgerError('unknown_outcome', 'the connection broke');
    });
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('whose transaction takes effect later keeps its bytes, and is 201 when it is repeated', async (t) => {
    let late: (() => Promise<boolean>) | undefined;
    const server = await withStoreSlot(t, async (real, order) => {
      late = () => real.storeSlot(order);
      throw new LedgerError('unknown_outcome', 'the standby is away');
    });
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 500);
    assert.equal(await late?.(), true);
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });
});

function withLedger(
  t: Parameters<typeof startTestFileServer>[0],
  change: (real: Ledger) => Partial<Ledger>,
  claimAll = true,
): Promise<TestFileServer> {
  return startTestFileServer(t, { claimAll, ledger: (real) => ({ ...real, ...change(real) }) });
}
