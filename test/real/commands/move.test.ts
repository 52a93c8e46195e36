import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { after, before, describe, type TestContext, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import { getSlot, sendSlotRequest, startPut, uploadFile, waitForTransfers } from '../support/slots.ts';
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
  const house = await startMoveTestbed(HERE, env);
  t.after(() => house.remove());
  return house;
}

async function done(run: ReturnType<MoveTestbed['move']>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assert.equal(code, 0, stderr);
  return stdout;
}

/** There and back, with people going on all the time. */
async function moveThereAndBack(house: MoveTestbed, there: StorageConfig, env: Env = {}): Promise<void> {
  const belongings = await createFiles(house.porter);
  const slot = belongings.reserved;
  for (const [from, to] of [
    [HERE, there],
    [there, HERE],
  ] as const) {
    await house.writeTargetConfig(to);
    const traffic = startTraffic(house, belongings);
    await done(house.move());
    const before = traffic.stored();
    await house.porter.program.waitFor('more uploads', () => traffic.stored() >= before + 5);
    await done(house.move('--finish', '--verify'));
    await house.porter.program.waitFor('word to come back later', () => traffic.retried() > 0);
    await traffic.stop();
    await assertFilesIntact(belongings);
    await house.switchStorage(to);
    if (from === HERE) {
      assert.equal((await httpRequest(slot.slot.put, { method: 'PUT', body: slot.body })).status, 201);
      belongings.stored.set(slot.slot.get, slot.body);
    }
    await assertFilesIntact(belongings);
    await assertDeletedStayDeleted(house.porter, belongings);
    await assertFsckClean(house, env);
    belongings.stored.set(await uploadFile(house.porter, randomBytes(5000)), Buffer.alloc(0));
    for (const [link, body] of belongings.stored) {
      if (body.length === 0) belongings.stored.set(link, (await httpRequest(link)).body);
    }
  }
}

test('a service moves to another folder and back while people go on: no link breaks, nothing comes back', async (t) => {
  await moveThereAndBack(await open(t), BESIDE);
});

describe('with a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  test('a service moves there and back while people go on', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.createSchema(), blobs: BESIDE.blobs });
  });

  test('a ledger moves alone, and the files stay where they are', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.createSchema(), blobs: HERE.blobs });
  });

  describe('and a real S3 server', { skip: needs('ceph') }, () => {
    let s3: S3Server;
    before(async () => {
      s3 = await startS3();
    });
    after(() => s3.remove());

    test('a service moves to both and back while people go on', async (t) => {
      const house = await open(t, s3.env);
      const blobs = s3.blobsUrl(await s3.createBucket());
      await moveThereAndBack(house, { ledger: await postgres.createSchema(), blobs }, s3.env);
    });
  });
});

describe('a move that is cut off', () => {
  test('goes on where it was when it is run again, and leaves nothing half', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const belongings = await createFiles(house.porter);
    for (let i = 0; i < 400; i += 1) {
      const body = randomBytes(3000);
      belongings.stored.set(await uploadFile(house.porter, body, { jid: `user${i % 9}@example.org` }), body);
    }
    const blobs = () => globSync('data2/blobs/*/*', { cwd: house.porter.folder }).length;
    const cut = house.startMove();
    await cut.waitFor('some files', () => blobs() > 150);
    await cut.stop('SIGKILL');
    assert.ok(blobs() < 400, 'it was killed in the middle');
    const again = JSON.parse(await done(house.move('--json')));
    assert.ok(again.files < belongings.stored.size, 'it did not begin anew');
    await done(house.move('--finish'));
    await house.switchStorage(BESIDE);
    await assertFilesIntact(belongings);
    await assertFsckClean(house);
  });

  test('in the last step closes the old place until it is run again, or cancelled', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const { porter } = house;
    const body = randomBytes(500_000);
    const link = await uploadFile(porter, body);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(porter, 1);
    const closed = async () => (await sendSlotRequest(porter, { size: 5 })).status === 503;

    // It waits for the upload.
    const cut = house.startMove('--finish', '--wait', '10m');
    await cut.waitFor('the closed place', closed);
    assert.match((await sendSlotRequest(porter, { size: 5 })).text, /moving to another place/);
    await cut.stop('SIGKILL');
    assert.ok(await closed());
    assert.equal((await httpRequest(link)).status, 200);
    assert.equal((await put.finish()).status, 201, 'what was under way ends well');

    await done(house.move('--cancel'));
    const more = await uploadFile(porter, body);
    await done(house.move('--finish'));
    await house.switchStorage(BESIDE);
    for (const each of [link, slot.get, more]) assert.ok((await httpRequest(each)).body.equals(body));
    assert.match(await done(house.move()).catch(String), /ledger of its own|finished|same database/);
    await assertFsckClean(house);
  });

  test('by Ctrl-C opens the old place again', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const slot = await getSlot(house.porter, { size: 1000 });
    const put = await startPut(slot.put, Buffer.alloc(1000), 10);
    await waitForTransfers(house.porter, 1);
    const move = house.startMove('--finish', '--wait', '10m');
    await move.waitFor(
      'the closed place',
      async () => (await sendSlotRequest(house.porter, { size: 5 })).status === 503,
    );
    assert.equal((await move.stop('SIGINT')).code, 1);
    assert.match(move.stderr, /Run the command again/);
    assert.equal((await sendSlotRequest(house.porter, { size: 5 })).status, 200);
    assert.equal((await put.finish()).status, 201);
  });
});

describe('porter move', () => {
  test('lets an upload end that was under way, and carries it along', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const body = randomBytes(500_000);
    const slot = await getSlot(house.porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(house.porter, 1);
    const move = house.startMove('--finish', '--wait', '10m');
    await move.waitFor(
      'the closed place',
      async () => (await sendSlotRequest(house.porter, { size: 5 })).status === 503,
    );
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await move.exited(), { code: 0, signal: null });
    await house.switchStorage(BESIDE);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('leaves an upload that does not end in time to be tried again in the new place', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const body = randomBytes(500_000);
    const slot = await getSlot(house.porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(house.porter, 1);
    await done(house.move('--finish', '--wait', '0s'));
    assert.equal((await put.finish()).status, 503);
    await house.switchStorage(BESIDE);
    assert.equal((await httpRequest(slot.get)).status, 404);
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
    await assertFsckClean(house);
  });

  test('copies again what the new place has lost, and says which files the old one had lost', async (t) => {
    const house = await open(t);
    await house.writeTargetConfig(BESIDE);
    const { folder } = house.porter;
    const body = randomBytes(1000);
    const links = [await uploadFile(house.porter, body), await uploadFile(house.porter, body)];
    await done(house.move());
    const [lost = ''] = globSync('data2/blobs/*/*', { cwd: folder });
    await rm(`${folder}/${lost}`);
    await done(house.move());
    assert.equal(globSync('data2/blobs/*/*', { cwd: folder }).length, 2);
    const broken = await uploadFile(house.porter, body);
    const id = new URL(broken).pathname.split('/')[2] ?? '';
    const [path = ''] = globSync(`data/blobs/*/${id}.*`, { cwd: folder });
    await rm(`${folder}/${path}`);
    const { code, stderr, stdout } = await house.move('--finish');
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`${id}: the file is missing`));
    assert.match(stdout, /1 files were damaged before/);
    await house.switchStorage(BESIDE);
    for (const link of links) assert.ok((await httpRequest(link)).body.equals(body));
  });

  test('refuses a place that is in use, the same place twice, and going back after the switch by --cancel', async (t) => {
    const house = await open(t);
    await uploadFile(house.porter, randomBytes(10));
    await house.writeTargetConfig(HERE);
    const same = await house.move();
    assert.deepEqual([same.code, /same ledger/.test(same.stderr)], [2, true]);
    await house.writeTargetConfig(BESIDE);
    await done(house.move('--finish'));
    const cancelled = await house.move('--cancel');
    assert.deepEqual([cancelled.code, /is finished/.test(cancelled.stderr)], [1, true]);
    assert.match(await done(house.move()), /finished already\. Start Porter with new.yml/);
    await house.switchStorage(BESIDE);
    // From a third place, with files of its own, into the one that is in use now.
    const third = await startMoveTestbed(HERE);
    t.after(() => third.remove());
    await uploadFile(third.porter, randomBytes(10));
    const { folder } = house.porter;
    await third.writeTargetConfig({ ledger: `${folder}/data2/porter.db`, blobs: `${folder}/data2/blobs` });
    const occupied = await third.move();
    assert.deepEqual([occupied.code, /ledger of its own in use/.test(occupied.stderr)], [1, true]);
  });
});
