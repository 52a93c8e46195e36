import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { after, before, describe, type TestContext, test } from 'node:test';
import { ask } from './ask.ts';
import {
  assertSound,
  type Env,
  findAll,
  type MovingHouse,
  openMovingHouse,
  refillNone,
  type Storage,
  settleIn,
  startTraffic,
} from './moving.ts';
import { needs } from './peers.ts';
import { type RunningPostgres, startPostgres } from './postgres.ts';
import { type RunningS3, startS3 } from './s3.ts';
import { askSlot, beginPut, requestSlot, store, underWay } from './slots.ts';

const HERE: Storage = { ledger: './data/porter.db', blobs: './data/blobs' };
const BESIDE: Storage = { ledger: './data2/porter.db', blobs: './data2/blobs' };

async function open(t: TestContext, env?: Env): Promise<MovingHouse> {
  const house = await openMovingHouse(HERE, env);
  t.after(() => house.remove());
  return house;
}

async function done(run: ReturnType<MovingHouse['move']>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assert.equal(code, 0, stderr);
  return stdout;
}

/** There and back, with people going on all the time. */
async function moveThereAndBack(house: MovingHouse, there: Storage, env: Env = {}): Promise<void> {
  const belongings = await settleIn(house.porter);
  const slot = belongings.waiting;
  for (const [from, to] of [
    [HERE, there],
    [there, HERE],
  ] as const) {
    await house.next(to);
    const traffic = startTraffic(house, belongings);
    await done(house.move());
    const before = traffic.stored();
    await house.porter.program.until('more uploads', () => traffic.stored() >= before + 5, 60);
    await done(house.move('--finish', '--verify'));
    await house.porter.program.until('word to come back later', () => traffic.later() > 0, 60);
    await traffic.stop();
    await findAll(belongings);
    await house.change(to);
    if (from === HERE) {
      assert.equal((await ask(slot.slot.put, { method: 'PUT', body: slot.body })).status, 201);
      belongings.there.set(slot.slot.get, slot.body);
    }
    await findAll(belongings);
    await refillNone(house.porter, belongings);
    await assertSound(house, env);
    belongings.there.set(await store(house.porter, randomBytes(5000)), Buffer.alloc(0));
    for (const [link, body] of belongings.there) {
      if (body.length === 0) belongings.there.set(link, (await ask(link)).body);
    }
  }
}

test('a service moves to another folder and back while people go on: no link breaks, nothing comes back', async (t) => {
  await moveThereAndBack(await open(t), BESIDE);
});

describe('with a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let postgres: RunningPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  test('a service moves there and back while people go on', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.newPlace(), blobs: BESIDE.blobs });
  });

  test('a ledger moves alone, and the files stay where they are', async (t) => {
    await moveThereAndBack(await open(t), { ledger: await postgres.newPlace(), blobs: HERE.blobs });
  });

  describe('and a real S3 server', { skip: needs('ceph') }, () => {
    let s3: RunningS3;
    before(async () => {
      s3 = await startS3();
    });
    after(() => s3.remove());

    test('a service moves to both and back while people go on', async (t) => {
      const house = await open(t, s3.env);
      const blobs = s3.place(await s3.newBucket());
      await moveThereAndBack(house, { ledger: await postgres.newPlace(), blobs }, s3.env);
    });
  });
});

describe('a move that is cut off', () => {
  test('goes on where it was when it is run again, and leaves nothing half', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const belongings = await settleIn(house.porter);
    for (let i = 0; i < 400; i += 1) {
      const body = randomBytes(3000);
      belongings.there.set(await store(house.porter, body, { jid: `user${i % 9}@example.org` }), body);
    }
    const blobs = () => globSync('data2/blobs/*/*', { cwd: house.porter.folder }).length;
    const cut = house.startMove();
    await cut.until('some files', () => blobs() > 150);
    await cut.stop('SIGKILL');
    assert.ok(blobs() < 400, 'it was killed in the middle');
    const again = JSON.parse(await done(house.move('--json')));
    assert.ok(again.files < belongings.there.size, 'it did not begin anew');
    await done(house.move('--finish'));
    await house.change(BESIDE);
    await findAll(belongings);
    await assertSound(house);
  });

  test('in the last step closes the old place until it is run again, or cancelled', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const { porter } = house;
    const body = randomBytes(500_000);
    const link = await store(porter, body);
    const slot = await askSlot(porter, { size: body.length });
    const put = await beginPut(slot.put, body, 100_000);
    await underWay(porter, 1);
    const closed = async () => (await requestSlot(porter, { size: 5 })).status === 503;

    // It waits for the upload.
    const cut = house.startMove('--finish', '--wait', '10m');
    await cut.until('the closed place', closed);
    assert.match((await requestSlot(porter, { size: 5 })).text, /moving to another place/);
    await cut.stop('SIGKILL');
    assert.ok(await closed());
    assert.equal((await ask(link)).status, 200);
    assert.equal((await put.finish()).status, 201, 'what was under way ends well');

    await done(house.move('--cancel'));
    const more = await store(porter, body);
    await done(house.move('--finish'));
    await house.change(BESIDE);
    for (const each of [link, slot.get, more]) assert.ok((await ask(each)).body.equals(body));
    assert.match(await done(house.move()).catch(String), /ledger of its own|finished|same ledger/);
    await assertSound(house);
  });

  test('by Ctrl-C opens the old place again', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const slot = await askSlot(house.porter, { size: 1000 });
    const put = await beginPut(slot.put, Buffer.alloc(1000), 10);
    await underWay(house.porter, 1);
    const move = house.startMove('--finish', '--wait', '10m');
    await move.until(
      'the closed place',
      async () => (await requestSlot(house.porter, { size: 5 })).status === 503,
    );
    assert.equal((await move.stop('SIGINT')).code, 1);
    assert.match(move.stderr, /run it again/);
    assert.equal((await requestSlot(house.porter, { size: 5 })).status, 200);
    assert.equal((await put.finish()).status, 201);
  });
});

describe('porter move', () => {
  test('lets an upload end that was under way, and carries it along', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const body = randomBytes(500_000);
    const slot = await askSlot(house.porter, { size: body.length });
    const put = await beginPut(slot.put, body, 100_000);
    await underWay(house.porter, 1);
    const move = house.startMove('--finish', '--wait', '10m');
    await move.until(
      'the closed place',
      async () => (await requestSlot(house.porter, { size: 5 })).status === 503,
    );
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await move.exited(), { code: 0, signal: null });
    await house.change(BESIDE);
    assert.ok((await ask(slot.get)).body.equals(body));
  });

  test('leaves an upload that does not end in time to be tried again in the new place', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const body = randomBytes(500_000);
    const slot = await askSlot(house.porter, { size: body.length });
    const put = await beginPut(slot.put, body, 100_000);
    await underWay(house.porter, 1);
    await done(house.move('--finish', '--wait', '0s'));
    assert.equal((await put.finish()).status, 503);
    await house.change(BESIDE);
    assert.equal((await ask(slot.get)).status, 404);
    assert.equal((await ask(slot.put, { method: 'PUT', body })).status, 201);
    assert.ok((await ask(slot.get)).body.equals(body));
    await assertSound(house);
  });

  test('copies again what the new place has lost, and says which files the old one had lost', async (t) => {
    const house = await open(t);
    await house.next(BESIDE);
    const { folder } = house.porter;
    const body = randomBytes(1000);
    const links = [await store(house.porter, body), await store(house.porter, body)];
    await done(house.move());
    const [lost = ''] = globSync('data2/blobs/*/*', { cwd: folder });
    await rm(`${folder}/${lost}`);
    await done(house.move());
    assert.equal(globSync('data2/blobs/*/*', { cwd: folder }).length, 2);
    const broken = await store(house.porter, body);
    const id = new URL(broken).pathname.split('/')[2] ?? '';
    const [path = ''] = globSync(`data/blobs/*/${id}.*`, { cwd: folder });
    await rm(`${folder}/${path}`);
    const { code, stderr, stdout } = await house.move('--finish');
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`${id} has no bytes`));
    assert.match(stdout, /1 files were broken before/);
    await house.change(BESIDE);
    for (const link of links) assert.ok((await ask(link)).body.equals(body));
  });

  test('refuses a place that is in use, the same place twice, and going back after the switch by --cancel', async (t) => {
    const house = await open(t);
    await store(house.porter, randomBytes(10));
    await house.next(HERE);
    const same = await house.move();
    assert.deepEqual([same.code, /same ledger/.test(same.stderr)], [2, true]);
    await house.next(BESIDE);
    await done(house.move('--finish'));
    const cancelled = await house.move('--cancel');
    assert.deepEqual([cancelled.code, /is finished/.test(cancelled.stderr)], [1, true]);
    assert.match(await done(house.move()), /finished: start Porter with new.yml/);
    await house.change(BESIDE);
    // From a third place, with files of its own, into the one that is in use now.
    const third = await openMovingHouse(HERE);
    t.after(() => third.remove());
    await store(third.porter, randomBytes(10));
    const { folder } = house.porter;
    await third.next({ ledger: `${folder}/data2/porter.db`, blobs: `${folder}/data2/blobs` });
    const occupied = await third.move();
    assert.deepEqual([occupied.code, /ledger of its own in use/.test(occupied.stderr)], [1, true]);
  });
});
