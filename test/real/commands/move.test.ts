import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { after, before, describe, type TestContext, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { MAIN } from '../../support/paths.ts';
import { resumableClient } from '../../support/resumable-client.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import { runPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/program.ts';
import {
  getSlot,
  openSlotConfig,
  sendSlotRequest,
  startPut,
  uploadFile,
  waitForTransfers,
} from '../support/slots.ts';
import {
  assertDeletedStayDeleted,
  assertFilesIntact,
  assertFsckClean,
  createFiles,
  type Env,
  type MoveTestbed,
  type StorageConfig,
  startMoveTestbed,
  startTraffic,
} from './move-testbed.ts';

const HERE: StorageConfig = { ledger: './data/porter.db', blobs: './data/blobs' };
const BESIDE: StorageConfig = { ledger: './data2/porter.db', blobs: './data2/blobs' };

async function open(t: TestContext, env?: Env): Promise<MoveTestbed> {
  const testbed = await startMoveTestbed(HERE, env);
  t.after(() => testbed.remove());
  return testbed;
}

async function done(run: ReturnType<MoveTestbed['move']>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Moves to another place and back under continuous traffic. */
async function moveThereAndBack(testbed: MoveTestbed, there: StorageConfig, env: Env = {}): Promise<void> {
  const files = await createFiles(testbed.porter);
  const slot = files.reserved;
  for (const [from, to] of [
    [HERE, there],
    [there, HERE],
  ] as const) {
    await testbed.writeTargetConfig(to);
    const traffic = startTraffic(testbed, files);
    await done(testbed.move());
    const before = traffic.stored();
    await testbed.porter.program.waitFor('more uploads', () => traffic.stored() >= before + 5);
    await done(testbed.move('--finish', '--verify'));
    await testbed.porter.program.waitFor('a request to retry later', () => traffic.retried() > 0);
    await traffic.stop();
    await assertFilesIntact(files);
    await testbed.switchStorage(to);
    if (from === HERE) {
      assert.equal((await httpRequest(slot.slot.put, { method: 'PUT', body: slot.body })).status, 201);
      files.stored.set(slot.slot.get, slot.body);
    }
    await assertFilesIntact(files);
    await assertDeletedStayDeleted(testbed.porter, files);
    await assertFsckClean(testbed, env);
    files.stored.set(await uploadFile(testbed.porter, randomBytes(5000)), Buffer.alloc(0));
    for (const [link, body] of files.stored) {
      if (body.length === 0) files.stored.set(link, (await httpRequest(link)).body);
    }
  }
}

test('a service moves to another folder and back under traffic: no link breaks, and no deleted file returns', async (t) => {
  await moveThereAndBack(await open(t), BESIDE);
});

describe('With a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  test('a service moves there and back under traffic', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.createSchema(), blobs: BESIDE.blobs });
  });

  test('a ledger can move alone, without the files', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.createSchema(), blobs: HERE.blobs });
  });

  describe('and a real S3 server', { skip: needs('ceph') }, () => {
    let s3: S3Server;
    before(async () => {
      s3 = await startS3();
    });
    after(() => s3.remove());

    test('a service moves to both and back under traffic', async (t) => {
      const testbed = await open(t, s3.env);
      const blobs = s3.blobsUrl(await s3.createBucket());
      await moveThereAndBack(testbed, { ledger: await postgres.createSchema(), blobs }, s3.env);
    });
  });
});

describe('An interrupted move', () => {
  test('continues when it is run again, and leaves nothing incomplete', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const files = await createFiles(testbed.porter);
    for (let i = 0; i < 400; i += 1) {
      const body = randomBytes(3000);
      files.stored.set(await uploadFile(testbed.porter, body, { jid: `user${i % 9}@example.org` }), body);
    }
    const blobs = () => globSync('data2/blobs/*/*', { cwd: testbed.porter.folder }).length;
    const cut = testbed.startMove();
    await cut.waitFor('some files', () => blobs() > 150);
    await cut.stop('SIGKILL');
    assert.ok(blobs() < 400, 'it was killed in the middle');
    const again = JSON.parse(await done(testbed.move('--json')));
    assert.ok(again.files < files.stored.size, 'it did not start from the beginning');
    await done(testbed.move('--finish'));
    await testbed.switchStorage(BESIDE);
    await assertFilesIntact(files);
    await assertFsckClean(testbed);
  });

  test('in its last step keeps the old place closed until it is run again or cancelled', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const { porter } = testbed;
    const body = randomBytes(500_000);
    const link = await uploadFile(porter, body);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(porter, 1);
    const closed = async () => (await sendSlotRequest(porter, { size: 5 })).status === 503;

    // The move waits for the upload.
    const cut = testbed.startMove('--finish', '--wait', '10m');
    await cut.waitFor('the closed place', closed);
    assert.match((await sendSlotRequest(porter, { size: 5 })).text, /moving to another storage/);
    await cut.stop('SIGKILL');
    assert.ok(await closed());
    assert.equal((await httpRequest(link)).status, 200);
    assert.equal((await put.finish()).status, 201, 'what was under way ends well');

    await done(testbed.move('--cancel'));
    const more = await uploadFile(porter, body);
    await done(testbed.move('--finish'));
    await testbed.switchStorage(BESIDE);
    for (const each of [link, slot.get, more]) assert.ok((await httpRequest(each)).body.equals(body));
    assert.match(await done(testbed.move()).catch(String), /already contains data|finished|same database/);
    await assertFsckClean(testbed);
  });

  test('opens the old place again on Ctrl-C', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const slot = await getSlot(testbed.porter, { size: 1000 });
    const put = await startPut(slot.put, Buffer.alloc(1000), 10);
    await waitForTransfers(testbed.porter, 1);
    const move = testbed.startMove('--finish', '--wait', '10m');
    await move.waitFor(
      'the closed place',
      async () => (await sendSlotRequest(testbed.porter, { size: 5 })).status === 503,
    );
    assert.equal((await move.stop('SIGINT')).code, 1);
    assert.match(move.stderr, /Run the command again/);
    assert.equal((await sendSlotRequest(testbed.porter, { size: 5 })).status, 200);
    assert.equal((await put.finish()).status, 201);
  });
});

describe('porter move', () => {
  test('waits for an upload in progress, and copies it', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const body = randomBytes(500_000);
    const slot = await getSlot(testbed.porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(testbed.porter, 1);
    const move = testbed.startMove('--finish', '--wait', '10m');
    await move.waitFor(
      'the closed place',
      async () => (await sendSlotRequest(testbed.porter, { size: 5 })).status === 503,
    );
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await move.exited(), { code: 0, signal: null });
    await testbed.switchStorage(BESIDE);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('leaves uploads that do not end in time to be sent again in the new place, resumable ones too', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const body = randomBytes(500_000);
    const paused = await getSlot(testbed.porter, { size: body.length });
    const client = resumableClient(testbed.porter.port, '8');
    const first = { bytes: body.subarray(0, 1000), complete: false };
    const { resource = '' } = await client.create(new URL(paused.put).pathname, first);
    const rest = { offset: 1000, bytes: body.subarray(1000), complete: true };
    const slot = await getSlot(testbed.porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(testbed.porter, 1);
    await done(testbed.move('--finish', '--wait', '0s'));
    assert.equal((await put.finish()).status, 503);
    assert.equal((await client.append(resource, rest)).status, 503);
    await testbed.switchStorage(BESIDE);
    assert.equal((await client.append(resource, rest)).status, 404);
    assert.equal((await client.head(resource)).status, 404);
    for (const { put: link, get } of [slot, paused]) {
      assert.equal((await httpRequest(get)).status, 404);
      assert.equal((await httpRequest(link, { method: 'PUT', body })).status, 201);
      assert.ok((await httpRequest(get)).body.equals(body));
    }
    await assertFsckClean(testbed);
  });

  test('copies files again that the new place has lost, and reports files that the old place had lost', async (t) => {
    const testbed = await open(t);
    await testbed.writeTargetConfig(BESIDE);
    const { folder } = testbed.porter;
    const body = randomBytes(1000);
    const links = [await uploadFile(testbed.porter, body), await uploadFile(testbed.porter, body)];
    await done(testbed.move());
    const [lost = ''] = globSync('data2/blobs/*/*', { cwd: folder });
    await rm(`${folder}/${lost}`);
    await done(testbed.move());
    assert.equal(globSync('data2/blobs/*/*', { cwd: folder }).length, 2);
    const broken = await uploadFile(testbed.porter, body);
    const id = new URL(broken).pathname.split('/')[2] ?? '';
    const [path = ''] = globSync(`data/blobs/*/${id}*`, { cwd: folder });
    await rm(`${folder}/${path}`);
    const { code, stderr, stdout } = await testbed.move('--finish');
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`${id}: the file is missing`));
    assert.match(stdout, /1 file was damaged before the move/);
    await testbed.switchStorage(BESIDE);
    for (const link of links) assert.ok((await httpRequest(link)).body.equals(body));
  });

  test('leaves an old config that can delete and store nothing in a file store that both share', async (t) => {
    const testbed = await open(t);
    const body = randomBytes(3000);
    const before = await uploadFile(testbed.porter, body);
    const there = { ledger: './data2/porter.db', blobs: HERE.blobs };
    await testbed.writeTargetConfig(there);
    await done(testbed.move('--finish'));
    await testbed.switchStorage(there);
    const { folder } = testbed.porter;
    const links = [before, await uploadFile(testbed.porter, body)];
    const blobs = () => globSync(`${folder}/data/blobs/**/*`).toSorted();
    const stored = blobs();

    const port = await freePort();
    const config = { ...openSlotConfig, storage: HERE };
    await writeFile(
      `${folder}/old.yml`,
      JSON.stringify({ ...config, listen: `127.0.0.1:${port}`, retention: { max_age: '1s' } }),
    );
    const commands = [
      ['fsck', '--repair', '--force'],
      ['cleanup', '--max-age', '0s', '--force'],
      ['delete', before],
      ['forget', 'romeo@example.org', '--force'],
      ['fsck', '--rejoin', '--force'],
    ];
    for (const [command = '', ...args] of commands) {
      const { code, stdout, stderr } = await runPorter([command, '-c', 'old.yml', ...args], { cwd: folder });
      assert.equal(code, 1, `${command}: ${stdout}`);
      assert.match(
        stderr,
        /The ledger was moved\. Start Porter with the config of the new ledger\./,
        command,
      );
    }
    const old = new Program(process.execPath, [MAIN, 'serve', '-c', 'old.yml'], { cwd: folder });
    try {
      await old.waitFor('the reason in the log', () => /the ledger has moved/.test(old.output));
      const url = `http://127.0.0.1:${port}`;
      await old.waitFor('an answer', async () => {
        const answered = await httpRequest(`${url}/healthz`).catch(() => undefined);
        return answered !== undefined;
      });
      const slot = await sendSlotRequest({ ...testbed.porter, url }, { size: 10 });
      assert.equal(slot.status, 503);
    } finally {
      await old.stop();
    }
    assert.deepEqual(blobs(), stored);
    for (const link of links) assert.ok((await httpRequest(link)).body.equals(body));
    assert.equal((await testbed.porter.runCommand('fsck')).code, 0);
  });

  test('refuses a target in use, a target equal to the source, and --cancel after the switch', async (t) => {
    const testbed = await open(t);
    await uploadFile(testbed.porter, randomBytes(10));
    await testbed.writeTargetConfig(HERE);
    const same = await testbed.move();
    assert.deepEqual([same.code, /same database/.test(same.stderr)], [2, true]);
    await testbed.writeTargetConfig(BESIDE);
    await done(testbed.move('--finish'));
    const cancelled = await testbed.move('--cancel');
    assert.deepEqual([cancelled.code, /is finished/.test(cancelled.stderr)], [1, true]);
    assert.match(await done(testbed.move()), /finished already\. Start Porter with new.yml/);
    await testbed.switchStorage(BESIDE);
    // From a third place, which has files, into the one that is in use now.
    const third = await startMoveTestbed(HERE);
    t.after(() => third.remove());
    await uploadFile(third.porter, randomBytes(10));
    const { folder } = testbed.porter;
    await third.writeTargetConfig({ ledger: `${folder}/data2/porter.db`, blobs: `${folder}/data2/blobs` });
    const occupied = await third.move();
    assert.deepEqual([occupied.code, /already contains data/.test(occupied.stderr)], [1, true]);
  });
});
