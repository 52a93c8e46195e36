import assert from 'node:assert/strict';
import { copyFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import { runPorter } from '../support/porter-process.ts';
import { uploadFile } from '../support/slots.ts';
import {
  assertDeletedStayDeleted,
  assertFilesIntact,
  assertFsckClean,
  createFiles,
  type Env,
  type ExpectedFiles,
  type MoveTestbed,
  type StorageConfig,
  startMoveTestbed,
  startTraffic,
} from './move-testbed.ts';

const HERE: StorageConfig = { ledger: './data/porter.db', blobs: './data/blobs' };
const BESIDE: StorageConfig = { ledger: './data2/porter.db', blobs: './data2/blobs' };

async function open(t: TestContext, storage: StorageConfig = HERE, env: Env = {}): Promise<MoveTestbed> {
  const testbed = await startMoveTestbed(storage, env);
  t.after(() => testbed.remove());
  return testbed;
}

async function run(testbed: MoveTestbed, args: readonly string[], env: Env = {}) {
  const { folder } = testbed.porter;
  return await runPorter([...args, '-c', args[0] === 'restore' ? testbed.targetConfig : 'porter.yml'], {
    cwd: folder,
    env,
  });
}

async function done(testbed: MoveTestbed, args: readonly string[], env: Env = {}): Promise<string> {
  const { code, stdout, stderr } = await run(testbed, args, env);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

const copyOf = ({ stored, deleted, reserved }: ExpectedFiles): ExpectedFiles => ({
  stored: new Map(stored),
  deleted: new Set(deleted),
  reserved,
});

/** Backs up under traffic, restores into another storage, and serves from there. */
async function backUpAndRestore(t: TestContext, from: StorageConfig, to: StorageConfig, env: Env = {}) {
  const testbed = await open(t, from, env);
  const files = await createFiles(testbed.porter);
  const traffic = startTraffic(testbed, files);
  await testbed.porter.program.waitFor('uploads', () => traffic.stored() >= 5);
  // Everything that was answered before the backup began must be in it.
  const expected = copyOf(files);
  await done(testbed, ['backup', 'backup/porter.db', '--with-files'], env);
  const during = traffic.stored();
  await testbed.porter.program.waitFor('uploads after the backup', () => traffic.stored() >= during + 2);
  await traffic.stop();
  await testbed.writeTargetConfig(to);
  await testbed.porter.stop();
  await done(testbed, ['restore', 'backup/porter.db'], env);
  await testbed.switchStorage(to);
  await assertFilesIntact(expected);
  await assertDeletedStayDeleted(testbed.porter, expected);
  const { slot, body } = expected.reserved;
  assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
  await assertFsckClean(testbed, env);
  return testbed;
}

describe('porter backup and restore', () => {
  test('SQLite and a folder: a backup under traffic has every file that was stored before it', async (t) => {
    const testbed = await backUpAndRestore(t, HERE, BESIDE);
    const { mode } = await stat(join(testbed.porter.folder, 'backup/porter.db'));
    assert.equal(mode & 0o777, 0o600);
    assert.deepEqual((await readdir(join(testbed.porter.folder, 'backup'))).sort(), [
      'porter.db',
      'porter.db.files',
    ]);
  });

  test('an existing backup is not replaced, and a restore needs an empty place', async (t) => {
    const testbed = await open(t);
    await createFiles(testbed.porter);
    await done(testbed, ['backup', 'one.db', '--with-files']);
    const again = await run(testbed, ['backup', 'one.db']);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /one\.db exists already\. Give another name/);
    await testbed.writeTargetConfig(HERE);
    const full = await run(testbed, ['restore', 'one.db']);
    assert.equal(full.code, 1);
    assert.match(full.stderr, /database .*porter\.db is not empty: it has \d+ files\. Nothing was restored/);
    await testbed.writeTargetConfig({ ...HERE, ledger: './data3/porter.db' });
    const sameFiles = await run(testbed, ['restore', 'one.db']);
    assert.equal(sameFiles.code, 1);
    assert.match(sameFiles.stderr, /file store .* is not empty/);
    const other = await run(testbed, ['restore', 'porter.yml']);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /is not an SQLite database|not a ledger/);
  });

  test('a database alone is restored to its files, and to no other files', async (t) => {
    const testbed = await open(t);
    const files = await createFiles(testbed.porter);
    await done(testbed, ['backup', 'ledger.db']);
    await testbed.porter.stop();
    await rm(join(testbed.porter.folder, 'data/porter.db'));
    await testbed.writeTargetConfig(BESIDE);
    const other = await run(testbed, ['restore', 'ledger.db']);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /is not the one of this backup.*put the files there first/);
    await testbed.writeTargetConfig(HERE);
    await done(testbed, ['restore', 'ledger.db']);
    await testbed.switchStorage(HERE);
    await assertFilesIntact(files);
    await assertFsckClean(testbed);
  });

  test('a start refuses a database that was copied over one with a write-ahead log, and says what to do', async (t) => {
    for (const keepsTimes of [false, true]) {
      const testbed = await open(t);
      const { folder } = testbed.porter;
      const database = join(folder, 'data/porter.db');
      await createFiles(testbed.porter);
      await done(testbed, ['backup', 'old.db']);
      await uploadFile(testbed.porter, Buffer.from('stored after the backup'));
      await testbed.porter.stop('SIGKILL');
      assert.ok((await stat(`${database}-wal`)).size > 0);
      if (keepsTimes) await waitUntilOld(`${database}-wal`);
      await (keepsTimes
        ? rename(join(folder, 'old.db'), database)
        : copyFile(join(folder, 'old.db'), database));
      const refused = await run(testbed, ['serve']);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /was replaced after its write-ahead log .* run: rm .*-wal .*-shm/);
      await rm(`${database}-wal`);
      await rm(`${database}-shm`);
      assert.equal((await run(testbed, ['stats'])).code, 0);
    }
  });

  test('a start after a crash keeps what is only in the write-ahead log', async (t) => {
    const testbed = await open(t);
    const files = await createFiles(testbed.porter);
    await testbed.porter.stop('SIGKILL');
    await testbed.switchStorage(HERE);
    await assertFilesIntact(files);
  });
});

/** A file that was renamed keeps its time of change only within the tolerance of a checkpoint. */
async function waitUntilOld(path: string): Promise<void> {
  const { ctimeMs } = await stat(path);
  while (Date.now() - ctimeMs < 4000) await new Promise((resolve) => setTimeout(resolve, 100));
}

describe('porter backup and restore with PostgreSQL', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  test('a backup under traffic is the state at one moment, and can be restored to PostgreSQL', async (t) => {
    const [from, to] = [await postgres.createSchema(), await postgres.createSchema()];
    await backUpAndRestore(t, { ...HERE, ledger: from }, { ...BESIDE, ledger: to });
  });

  test('a backup of PostgreSQL can be restored to SQLite', async (t) => {
    await backUpAndRestore(t, { ...HERE, ledger: await postgres.createSchema() }, BESIDE);
  });
});

describe('porter backup and restore with S3', { skip: needs('ceph') }, () => {
  let s3: S3Server;
  before(async () => {
    s3 = await startS3();
    // For the commands that the testbed runs beside the server.
    Object.assign(process.env, s3.env);
  });
  after(() => s3.remove());

  test('files on S3 are backed up to a folder, and restored to another bucket', async (t) => {
    const from = { ...HERE, blobs: s3.blobsUrl(await s3.createBucket()) };
    await backUpAndRestore(t, from, { ...BESIDE, blobs: s3.blobsUrl(await s3.createBucket()) }, s3.env);
  });
});
