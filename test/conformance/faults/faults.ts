import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { toPutKey } from '../../../src/base/ids.ts';
import { createLog } from '../../../src/base/log.ts';
import { jidSha1 } from '../../../src/base/owners.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { createClamd } from '../../../src/scanner/clamd.ts';
import { createBlobDeleter } from '../../../src/uploads/blobs/delete-pending.ts';
import { publishPendingBlobs } from '../../../src/uploads/blobs/publish.ts';
import { createContentChecks } from '../../../src/uploads/content/content-checks.ts';
import { noReserve } from '../../../src/uploads/disk/space-reserve.ts';
import { createFileCache } from '../../../src/uploads/file-cache.ts';
import { fsck } from '../../../src/uploads/fsck/fsck.ts';
import { grantSlot } from '../../../src/uploads/grant-slot.ts';
import { importUploads } from '../../../src/uploads/import/import-uploads.ts';
import { createOwnerLookup } from '../../../src/uploads/import/owner-lookup.ts';
import { finishMigration } from '../../../src/uploads/migrate-storage/migrate-storage.ts';
import { receiveUpload } from '../../../src/uploads/receive.ts';
import { createRefusalLog } from '../../../src/uploads/refusals/refusal-log.ts';
import { removeUploads } from '../../../src/uploads/remove.ts';
import type { UploadServices } from '../../../src/uploads/services.ts';
import { joinStores } from '../../../src/uploads/store-identity/join-stores.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { createTransfers } from '../../../src/uploads/transfers.ts';
import type { UploadBody } from '../../../src/uploads/upload-request.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { access, DAY, MINUTE, retention } from '../../support/test-services.ts';
import { FAULT_POINTS, type Operation } from './fault-points.ts';
import { type Fault, FaultyProcess, type Moment, type Stores } from './inject.ts';

export interface TestStores extends Stores {
  close(): Promise<void>;
}

const LOCATIONS = { ledger: 'the ledger', blobs: 'the store' };

/** Returns the services of one process. `later`: milliseconds by which its clock is ahead. */
function servicesOf(stores: Stores, instance: string, later = 0): UploadServices {
  const rules = () => ({
    access: access(),
    retention,
    globalQuota: null,
    slotTimeout: 60 * MINUTE,
    typeMismatch: 'refuse' as const,
  });
  const clock = () => Date.now() + later;
  const log = createLog({ level: 'silent', format: 'json' });
  const metrics = createMetrics();
  return {
    ...stores,
    rules,
    clock,
    log,
    metrics,
    instance,
    blobDeleter: createBlobDeleter({ ...stores, clock, metrics }),
    refusals: createRefusalLog({ ...stores, rules, clock, log }),
    transfers: createTransfers(),
    fileCache: createFileCache(),
    spaceReserve: noReserve,
    content: createContentChecks({ ...stores, rules: () => undefined, scanner: createClamd(), log, metrics }),
  };
}

/** Returns a body with these bytes. `isWhole`: it has arrived completely, so that it is stored without a claim. */
function bodyOf(bytes: Buffer, isWhole = false): UploadBody {
  const middle = bytes.length >> 1;
  return {
    ...(isWhole && { takeWhole: async () => [bytes.subarray(0, middle), bytes.subarray(middle)] }),
    accept: () => undefined,
    async *batches() {
      yield [bytes.subarray(0, middle)];
      yield [bytes.subarray(middle)];
    },
    abort: () => undefined,
    received: bytes.length,
    isComplete: true,
    idleFor: () => 0,
  };
}

/** Returns the bytes that a GET would send, or undefined for 404. Fails if a stored upload has no bytes. */
async function download({ ledger, blobs }: Stores, locator: string): Promise<Buffer | undefined> {
  const row = await ledger.find(locator);
  if (row?.state !== 'stored') return undefined;
  const blob = (await blobs.open(row.blob)) ?? assert.fail('a stored upload has no bytes');
  const chunks = await Array.fromAsync(blob.read(0, blob.size));
  await blob.close();
  return Buffer.concat(chunks);
}

/** Checks that no orphaned bytes, wrong counters, pending deletes or claims are left after a sweep. */
async function assertClean(stores: Stores): Promise<void> {
  // A day later, every file without a row is an orphan.
  const services = servicesOf(stores, 'later', 2 * DAY);
  await runSweep(services, { keepRecords: null });
  const faults: unknown[] = [];
  await fsck(services, { repair: false, onFault: (fault) => faults.push(fault) });
  assert.deepEqual(faults, []);
  assert.deepEqual(await pendingKeys(stores.ledger), []);
  assert.deepEqual(await stores.ledger.listUploads({ state: 'receiving', limit: 10 }), []);
}

/** Does the work of a start on the same host. */
async function restart(stores: Stores): Promise<UploadServices> {
  await stores.ledger.removeInstances(['dead']);
  const services = servicesOf(stores, 'next');
  await publishPendingBlobs(services);
  return services;
}

let processes = 0;
async function sendHeartbeat(stores: Stores): Promise<void> {
  processes += 1;
  const machine = { host: 'test', machineId: '', bootId: '', pidNamespace: '' };
  await stores.ledger.heartbeat({ id: 'dead', pid: processes, clockSkewMs: null, ...machine });
}

/** Runs the operation with a fault. Returns its result, `killed`, or `failed`. */
async function attempt<T>(
  process: FaultyProcess,
  operation: () => Promise<T>,
): Promise<T | 'killed' | 'failed'> {
  return await process.run(operation).catch((error: unknown) => {
    if (String(error).includes('AssertionError')) throw error;
    return 'failed' as const;
  });
}

const romeo = 'romeo@example.org';

async function putFile(
  services: UploadServices,
  bytes: Buffer,
  token: string,
  isWhole = false,
): Promise<string> {
  const by = { putKey: toPutKey(token) };
  const request = {
    by,
    endpoint: 'component',
    size: bytes.length,
    type: 'image/jpeg',
    body: bodyOf(bytes, isWhole),
  } as const;
  return (await receiveUpload(services, request)).upload.id;
}

async function putSigned(services: UploadServices, bytes: Buffer, locator: string): Promise<string> {
  const signed = {
    locator,
    uploader: { sha1: jidSha1(romeo) },
    name: 'a.jpg',
    size: bytes.length,
    type: 'image/jpeg',
    maxFileSize: null,
    maxTotalSize: null,
    maxFiles: null,
    deadline: Date.now() + MINUTE,
    repeatForMs: MINUTE,
    expiresAt: null,
  };
  const { size, type } = signed;
  const request = {
    by: { locator },
    endpoint: 'external',
    size,
    type,
    signed,
    body: bodyOf(bytes, true),
  } as const;
  return (await receiveUpload(services, request)).upload.id;
}

async function storeFile(stores: Stores): Promise<{ id: string; bytes: Buffer }> {
  const services = servicesOf(stores, 'before');
  const bytes = randomBytes(1000);
  const slot = await grantSlot(services, {
    endpoint: 'component',
    jid: romeo,
    name: 'a.jpg',
    size: bytes.length,
    type: 'image/jpeg',
  });
  return { id: await putFile(services, bytes, slot.token), bytes };
}

async function putWithFault(stores: Stores, process: FaultyProcess, isWhole: boolean): Promise<void> {
  const bytes = randomBytes(1000);
  const slot = await grantSlot(servicesOf(stores, 'before'), {
    endpoint: 'component',
    jid: romeo,
    name: 'a.jpg',
    size: bytes.length,
    type: 'image/jpeg',
  });
  const result = await attempt(process, () =>
    putFile(servicesOf(process.wrap(stores), 'dead'), bytes, slot.token, isWhole),
  );
  const visible = await download(stores, slot.id);
  assert.ok(visible === undefined || visible.equals(bytes), 'wrong bytes are readable');
  if (result === slot.id) assert.ok(visible, 'an acknowledged upload is not readable');
  const services = await restart(stores);
  if (result === slot.id) assert.deepEqual(await download(stores, slot.id), bytes);
  assert.equal(await putFile(services, bytes, slot.token, isWhole), slot.id, 'the client repeats the PUT');
  assert.deepEqual(await download(stores, slot.id), bytes);
}

type Run = (stores: Stores, process: FaultyProcess) => Promise<void>;

/** Each runs one operation with a fault, and then repeats it, as users and the admin do. */
const operations = (folder: () => string): Record<Exclude<Operation, 'move'>, Run> => ({
  put: (stores, process) => putWithFault(stores, process, false),
  'small put': (stores, process) => putWithFault(stores, process, true),

  async 'signed put'(stores, process) {
    const bytes = randomBytes(1000);
    const locator = `external:${randomBytes(32).toString('hex')}`;
    const result = await attempt(process, () =>
      putSigned(servicesOf(process.wrap(stores), 'dead'), bytes, locator),
    );
    const visible = await download(stores, locator);
    assert.ok(visible === undefined || visible.equals(bytes), 'wrong bytes are readable');
    if (result !== 'killed' && result !== 'failed')
      assert.ok(visible, 'an acknowledged upload is not readable');
    const services = await restart(stores);
    await putSigned(services, bytes, locator);
    assert.deepEqual(await download(stores, locator), bytes);
  },

  async removal(stores, process) {
    const { id, bytes } = await storeFile(stores);
    const removal = { ids: [id], reason: 'deleted', detail: 'by a test' } as const;
    const result = await attempt(process, () =>
      removeUploads(servicesOf(process.wrap(stores), 'dead'), removal),
    );
    const visible = await download(stores, id);
    if (Array.isArray(result)) assert.equal(visible, undefined, 'an acknowledged removal');
    else assert.ok(visible === undefined || visible.equals(bytes));
    const services = await restart(stores);
    await removeUploads(services, removal);
    assert.equal(await download(stores, id), undefined);
  },

  async import(stores, process) {
    const bytes = randomBytes(1000);
    const name = `${bytes.toString('hex', 0, 8)}.jpg`;
    const file = join(folder(), name);
    await writeFile(file, bytes);
    const found = {
      linkPath: `id/${name}`,
      file,
      size: bytes.length,
      owner: romeo,
      name,
      type: null,
      storedAt: Date.now() - MINUTE,
    };
    const source = {
      basePaths: ['/upload/'],
      endpoint: 'external',
      layout: 'any',
      async *files() {
        yield found;
      },
    } as const;
    const run = async (services: UploadServices) =>
      importUploads(services, {
        source,
        folder: folder(),
        owners: await createOwnerLookup([]),
        basePaths: ['/upload/'],
        namespace: 'external',
        fallbackOwner: 'import:test',
        expireAfterMs: null,
        dryRun: false,
        onProblem: ({ problem }) => assert.fail(problem),
      });
    const result = await attempt(process, () => run(servicesOf(process.wrap(stores), 'dead')));
    const services = await restart(stores);
    const report = await run(services);
    assert.equal(report.imported + report.already, 1);
    if (typeof result === 'object') assert.equal(result.imported + report.imported, 1);
    const [row] = (await stores.ledger.listUploads({ state: 'stored', owner: romeo, limit: 1000 })).filter(
      (one) => one.name === name,
    );
    assert.ok(row, 'the file is imported');
    assert.deepEqual(await download(stores, row.locator), bytes);
  },
});

async function moveWithFault(source: Stores, target: Stores, process: FaultyProcess): Promise<void> {
  const { id, bytes } = await storeFile(source);
  const observer = {
    onPass: () => {},
    onProgress: () => {},
    onProblem: () => assert.fail('a file is missing'),
  };
  const run = (from: Stores, to: Stores) =>
    finishMigration(
      {
        source: from,
        target: to,
        sharedBlobs: false,
        targetLocations: LOCATIONS,
        observer,
        signal: new AbortController().signal,
      },
      { rows: 0, files: 0, bytes: 0, problems: 0 },
      { compareBytes: false, drainTimeoutMs: 1000 },
    );
  const result = await attempt(process, () =>
    run(process.wrap(source, 'source.'), process.wrap(target, 'target.')),
  );
  const states = [await source.ledger.migrationState(), await target.ledger.migrationState()];
  // An empty ledger is open too, before it is the target of a move.
  const isTargetUsed = (await target.ledger.countRows({ table: 'uploads' })) > 0;
  assert.ok(!(isTargetUsed && states.every((state) => state === 'open')), 'two open ledgers');
  if (result === true) assert.deepEqual(states, ['moved', 'open']);
  if (states[0] === 'moved' && states[1] === 'open') assert.deepEqual(await download(target, id), bytes);
  else assert.deepEqual(await download(source, id), bytes);
  await run(source, target);
  assert.equal(await target.ledger.migrationState(), 'open');
  assert.deepEqual(await download(target, id), bytes);
}

/** Calls with an effect. */
const WRITES = /\.(claim|commit|put|remove|begin|confirm|announce|import|link|add|set|write|upsert)/;

/** Returns the moments at which a call can fail. A fault after a call without an effect is the same as one before the next call. */
function momentsOf(call: string): readonly Moment[] {
  if (call.endsWith('blobs.put')) return ['before', 'during', 'after'];
  return WRITES.test(call) ? ['before', 'after'] : ['before'];
}

/** Returns the kinds of faults. A move ends at any error, so errors are injected only at calls with an effect. */
function kindsOf(operation: Operation, call: string): readonly Fault['kind'][] {
  return operation === 'move' && !WRITES.test(call) ? ['kill'] : ['kill', 'error'];
}

export interface FaultSuiteOptions {
  /** Opens empty stores that belong together. */
  readonly open: () => Promise<TestStores>;
  /** A temporary folder on the file system of the blobs. */
  readonly folder: () => string;
  /** Calls that this kind of store does not make. */
  readonly without: readonly string[];
}

/** Tests that the stores stay consistent after every kill and every failure during a PUT, a removal, an import and a move. */
export function faultSuite(name: string, { open, folder, without }: FaultSuiteOptions): void {
  const openJoined = async () => {
    const stores = await open();
    await joinStores(stores, LOCATIONS);
    return stores;
  };
  const faultsOf = (operation: Operation): Fault[] =>
    Object.keys(FAULT_POINTS[operation])
      .filter((call) => !without.includes(`${operation} ${call}`))
      .flatMap((call) =>
        kindsOf(operation, call).flatMap((kind) => momentsOf(call).map((moment) => ({ call, moment, kind }))),
      );
  const describeFault = ({ call, moment, kind }: Fault) =>
    kind === 'kill' ? `a kill ${moment} ${call}` : `an error ${moment} ${call}`;
  const assertListed = (operation: Operation, calls: readonly string[]) => {
    const listed = Object.keys(FAULT_POINTS[operation]).filter(
      (call) => !without.includes(`${operation} ${call}`),
    );
    assert.deepEqual(new Set(calls), new Set(listed.map((call) => call.split(' ')[0])));
  };

  for (const [operation, run] of Object.entries(operations(folder)) as [Exclude<Operation, 'move'>, Run][]) {
    describe(`${name}: ${operation}`, () => {
      let stores: TestStores;
      before(async () => {
        stores = await openJoined();
      });
      after(() => stores.close());

      test('makes exactly the calls in the list of fault points', async () => {
        await sendHeartbeat(stores);
        const process = new FaultyProcess();
        await run(stores, process);
        assertListed(operation, process.calls);
        await assertClean(stores);
      });
      for (const fault of faultsOf(operation)) {
        test(`survives ${describeFault(fault)}`, async () => {
          await sendHeartbeat(stores);
          await run(stores, new FaultyProcess(fault));
          await assertClean(stores);
        });
      }
    });
  }

  describe(`${name}: move`, () => {
    const withBoth = async (process: FaultyProcess) => {
      const [source, target] = [await openJoined(), await open()];
      try {
        await moveWithFault(source, target, process);
        await assertClean(target);
      } finally {
        await Promise.all([source.close(), target.close()]);
      }
    };
    test('makes exactly the calls in the list of fault points', async () => {
      const process = new FaultyProcess();
      await withBoth(process);
      assertListed('move', process.calls);
    });
    for (const fault of faultsOf('move')) {
      test(`survives ${describeFault(fault)}`, () => withBoth(new FaultyProcess(fault)));
    }
  });
}
