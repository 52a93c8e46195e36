import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toPutKey } from '../../../src/base/ids.ts';
import { openFsBlobs } from '../../../src/blobs/fs/fs-blobs.ts';
import { RequestBody } from '../../../src/http/common/request-body.ts';
import { createLedger } from '../../../src/ledger/sql/methods.ts';
import { SqliteDatabase } from '../../../src/ledger/sqlite/database.ts';
import { createBlobDeleter } from '../../../src/uploads/blobs/delete-pending.ts';
import { grantSlot } from '../../../src/uploads/grant-slot.ts';
import { importUploads } from '../../../src/uploads/import/import-uploads.ts';
import { createOwnerLookup } from '../../../src/uploads/import/owner-lookup.ts';
import { blobUrl, putUrl } from '../../../src/uploads/links.ts';
import { receiveUpload } from '../../../src/uploads/receive.ts';
import { eraseOwner, removeUploads } from '../../../src/uploads/remove.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { type DiskRecorder, recordDisk } from '../../support/disk-recorder.ts';
import { sendRequest } from '../../support/http.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';
import { access, DAY, openTestServices } from '../../support/test-services.ts';

const BODY = 'x'.repeat(100);

/** A file server whose stores are flushed, in this thread, and recorded. */
async function start(t: TestContext, { atomic = false } = {}) {
  const { folder } = await openTestServices(t);
  const root = join(folder, 'recorded');
  const file = join(folder, 'recorded.db');
  const recorder = recordDisk(t, root, file);
  const database = new SqliteDatabase({ file, sync: true });
  await database.migrate();
  const ledger = createLedger(database);
  t.after(() => ledger.close());
  const blobs = openFsBlobs({ root, sync: true, atomic });
  const server = await startTestFileServer(t, { ledger: () => ledger, blobs: () => blobs });
  const blobDeleter = createBlobDeleter({ ledger, blobs });
  const services = { ...server.services, ledger, blobs, blobDeleter };
  return { server, services, recorder, folder, root };
}

/** Checks the order of the events of one file. `ab` is its folder. */
function assertOrder({ events, violations }: DiskRecorder, expected: readonly (string | RegExp)[]): void {
  assert.deepEqual(violations, []);
  let from = 0;
  for (const pattern of expected) {
    const at = events.findIndex(
      (event, i) => i >= from && (typeof pattern === 'string' ? event === pattern : pattern.test(event)),
    );
    assert.ok(at >= 0, `no ${pattern} after event ${from} of:\n${events.join('\n')}`);
    from = at + 1;
  }
}

type Started = Awaited<ReturnType<typeof start>>;

async function requestSlot({ server, services }: Started) {
  const slot = await grantSlot(services, {
    endpoint: 'component',
    jid: 'romeo@example.org/garden',
    name: 'a.jpg',
    size: BODY.length,
    type: 'image/jpeg',
  });
  return {
    slot,
    put: () =>
      sendRequest({ host: '127.0.0.1', port: server.port }, putUrl('', slot.token, slot.name), {
        method: 'PUT',
        headers: { 'Content-Length': String(BODY.length) },
        body: BODY,
      }),
  };
}

async function store(started: Started): Promise<string> {
  const { slot, put } = await requestSlot(started);
  assert.equal((await put()).status, 201);
  return slot.id;
}

describe('a power failure', () => {
  test('loses no upload that was answered with 201', async (t) => {
    const started = await start(t);
    await store(started);
    assertOrder(started.recorder, [/^mkdir/, /^create/, /^write/, /^fdatasync/, 'commit full', 'answer 201']);
    assertOrder(started.recorder, [/^create/, /^fsync ..$/, 'commit full', 'answer 201']);
    assertOrder(started.recorder, [/^mkdir/, 'fsync .', 'commit full', 'answer 201']);
  });

  test('loses no upload whose file appears only when it is complete', async (t) => {
    const started = await start(t, { atomic: true });
    started.server.setRules({ fileUrlBuilder: blobUrl });
    await store(started);
    assertOrder(started.recorder, [
      /^create/,
      /^write/,
      /^fdatasync/,
      'commit full',
      /^link/,
      /^fsync ..$/,
      'answer 201',
    ]);
  });

  test('loses no imported file that appears only when it is complete', async (t) => {
    const started = await start(t, { atomic: true });
    await started.services.blobs.put('ab/imported.jpg', one(BODY));
    assertOrder(started.recorder, [
      /^create .*\.part$/,
      /^write/,
      /^fdatasync .*\.part$/,
      /^rename/,
      /^fsync ab$/,
    ]);
  });

  for (const atomic of [false, true]) {
    test(`loses no file of a form, ${atomic ? 'also one that a web server reads' : 'which is not copied'}`, async (t) => {
      const started = await start(t, { atomic });
      const { services, recorder } = started;
      const { slot } = await requestSlot(started);
      const file = (await services.blobs.createSpoolFile?.()) ?? assert.fail();
      await writeFile(file, BODY);
      const body = new RequestBody(Readable.from([]), { idleTimeoutMs: 1000 });
      const request = { endpoint: 'messages', size: BODY.length, type: 'image/jpeg', body, file } as const;
      await receiveUpload(services, { ...request, by: { putKey: toPutKey(slot.token) } });
      assertOrder(recorder, [/^create spool/, /^link/, /^fdatasync ..\//, 'commit full']);
      assertOrder(recorder, [/^link/, /^fsync ..$/, 'commit full']);
      assert.doesNotMatch(recorder.events.join('\n'), /^write/m);
    });
  }

  test('loses no upload of many that are stored at the same time', async (t) => {
    const started = await start(t);
    await Promise.all(Array.from({ length: 20 }, () => store(started)));
    assert.deepEqual(started.recorder.violations, []);
  });

  test('loses no upload in a folder that another PUT has just created and not flushed', async (t) => {
    const { recorder, root } = await start(t);
    const blobs = openFsBlobs({ root, sync: true });
    const held = Promise.withResolvers<void>();
    const finished: string[] = [];
    let isHeld = false;
    // Holds the first fsync of the root, which the creator of the folder has begun.
    recorder.onCall = (call) => {
      if (call !== 'fsync .') return undefined;
      isHeld = true;
      return held.promise;
    };
    const put = (key: string) =>
      blobs.put(key, one(BODY)).then(() => {
        finished.push(key);
      });
    const first = put('ab/first.jpg');
    while (!isHeld) await nextTurn();
    const second = put('ab/second.jpg');
    while (!recorder.events.includes('fdatasync ab/second.jpg')) await nextTurn();
    while (recorder.events.lastIndexOf('fsync ab') < recorder.events.indexOf('create ab/second.jpg')) {
      await nextTurn();
    }
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.deepEqual(finished, [], 'the name of the folder is not on disk yet');
    held.resolve();
    await Promise.all([first, second]);
  });

  test('loses no upload in a folder that a killed process has created and not flushed', async (t) => {
    const { recorder, root } = await start(t);
    await mkdir(join(root, 'ab'));
    await openFsBlobs({ root, sync: true }).put('ab/first.jpg', one(BODY));
    assertOrder(recorder, [/^create ab/, 'fsync .']);
  });

  test('loses no imported file', async (t) => {
    const { services, recorder, folder } = await start(t);
    const source = join(folder, 'source');
    await writeFile(source, BODY);
    const found = {
      linkPath: 'id/a.jpg',
      file: source,
      size: BODY.length,
      owner: null,
      name: 'a.jpg',
      type: null,
      storedAt: services.clock() - 1000,
    };
    const report = await importUploads(services, {
      source: {
        basePaths: ['/upload/'],
        endpoint: 'external',
        layout: 'any',
        async *files() {
          yield found;
        },
      },
      folder,
      owners: await createOwnerLookup([]),
      basePaths: ['/upload/'],
      namespace: 'external',
      fallbackOwner: 'import:test',
      expireAfterMs: null,
      dryRun: false,
      onProblem: ({ problem }) => assert.fail(problem),
    });
    assert.equal(report.linked, 1);
    assertOrder(recorder, [/^link/, /^fdatasync/, 'commit full']);
    assertOrder(recorder, [/^link/, /^fsync ..$/, 'commit full']);
    assertOrder(recorder, [/^link/, 'fsync .', 'commit full']);
  });

  for (const [what, remove] of Object.entries({
    'a deleted upload': ({ services }, id) =>
      removeUploads(services, { ids: [id], reason: 'deleted', detail: '' }),
    'an expired upload': ({ services }) =>
      runSweep({ ...services, clock: () => services.clock() + 400 * DAY }, { keepRecords: null }),
    'an upload of an erased owner': ({ services }) => eraseOwner(services, 'romeo@example.org'),
  } satisfies Record<string, (started: Started, id: string) => Promise<unknown>>)) {
    test(`never leaves ${what} with a row and without bytes, nor with bytes that nothing names`, async (t) => {
      const started = await start(t);
      const id = await store(started);
      await remove(started, id);
      assertOrder(started.recorder, ['answer 201', 'commit full', /^unlink .*/, /^unlinked /, /^commit/]);
      assert.deepEqual(await pendingKeys(started.services.ledger), []);
    });
  }

  test('never leaves an evicted upload with a row and without bytes, nor with bytes that nothing names', async (t) => {
    const started = await start(t);
    const { server, services, recorder } = started;
    await store(started);
    server.setRules({ access: access({ max_total_size: BODY.length, when_full: 'evict' }) });
    await requestSlot(started);
    await services.blobDeleter.idle();
    assertOrder(recorder, [
      'answer 201',
      'commit lazy',
      'commit full',
      /^unlink .*/,
      /^unlinked /,
      /^commit/,
    ]);
    assert.deepEqual(await pendingKeys(services.ledger), []);
  });

  test('leaves no row of an upload whose PUT has failed', async (t) => {
    const started = await start(t);
    const { slot } = await requestSlot(started);
    const { server, services, recorder } = started;
    const connection = await RawConnection.open(t, server.port);
    connection.send(
      `PUT ${putUrl('', slot.token, slot.name)} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n${BODY.slice(0, 50)}`,
    );
    while (!recorder.events.some((event) => event.startsWith('create'))) await nextTurn();
    connection.reset();
    while (!recorder.events.some((event) => event.startsWith('unlinked'))) await nextTurn();
    assert.notEqual((await services.ledger.find(slot.id))?.state, 'stored');
  });
});

async function* one(text: string) {
  yield [Buffer.from(text)];
}
