import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlobFault } from '../../../src/blobs/contract.ts';
import { forget, remove } from '../../../src/uploads/remove.ts';
import { sweep } from '../../../src/uploads/sweep.ts';
import { DAY, MINUTE, openHouse, retention, type TestHouse } from './house.ts';

const KEEP = { keepRecords: 365 * DAY };

async function blobCount({ deps }: TestHouse): Promise<number> {
  return (await Array.fromAsync(deps.blobs.list())).length;
}

describe('a sweep', () => {
  test('removes what is past its age, bytes and all, and keeps the reason on record', async (t) => {
    const house = await openHouse(t);
    const old = await house.upload();
    house.pass(20 * DAY);
    const young = await house.upload();
    house.pass(10 * DAY);
    const report = await sweep(house.deps, KEEP);
    assert.equal(report.expired, 1);
    assert.equal(report.bytes, 100);
    assert.equal(await house.deps.ledger.find(old.id), undefined);
    assert.equal((await house.deps.ledger.find(young.id))?.state, 'stored');
    assert.equal(await blobCount(house), 1);
    const removal = await house.deps.ledger.findRemoval(old.id);
    assert.equal(removal?.reason, 'expired');
    assert.match(removal?.detail ?? '', /30 d/);
  });

  test('goes by purpose and by the moment a request named', async (t) => {
    const house = await openHouse(t);
    await house.upload({ purpose: 'profile' });
    await house.upload({ purpose: 'ephemeral' });
    await house.upload({ expiresAt: house.deps.clock() + DAY });
    house.pass(2 * DAY);
    assert.equal((await sweep(house.deps, KEEP)).expired, 1);
    house.pass(6 * DAY);
    assert.equal((await sweep(house.deps, KEEP)).expired, 1);
    house.pass(400 * DAY);
    assert.equal((await sweep(house.deps, KEEP)).expired, 0);
    assert.equal(await blobCount(house), 1);
  });

  test('follows a retention that was shortened since', async (t) => {
    const house = await openHouse(t);
    await house.upload();
    house.pass(5 * DAY);
    house.rule({ retention: { ...retention, max_age: 5 * DAY } });
    assert.equal((await sweep(house.deps, KEEP)).expired, 1);
  });

  test('removes files of purposes that are no longer offered', async (t) => {
    const house = await openHouse(t);
    await house.upload({ purpose: 'ephemeral' });
    house.rule({ retention: { ...retention, purposes: {} } });
    house.pass(30 * DAY);
    assert.equal((await sweep(house.deps, KEEP)).expired, 1);
  });

  test('gives unused slots back', async (t) => {
    const house = await openHouse(t);
    const slot = await house.ask();
    house.pass(6 * MINUTE);
    assert.equal((await sweep(house.deps, KEEP)).unused, 1);
    assert.equal((await house.deps.ledger.usage('romeo@example.org')).pendingBytes, 0);
    assert.equal((await house.deps.ledger.findRemoval(slot.id))?.reason, 'unused');
  });

  test('is done where a store fails to tidy up after broken writes, says so, and the next one tries again', async (t) => {
    const house = await openHouse(t);
    const old = await house.upload();
    house.pass(30 * DAY);
    const tidied: number[] = [];
    const tidy = async (before: number) => {
      tidied.push(before);
      if (tidied.length === 1) throw new BlobFault('denied', 'S3 refuses.');
      return 1;
    };
    const deps = { ...house.deps, blobs: { ...house.deps.blobs, tidy } };
    await assert.rejects(sweep(deps, KEEP), { name: 'BlobFault', kind: 'denied' });
    assert.equal((await deps.ledger.findRemoval(old.id))?.reason, 'expired');
    assert.equal(await blobCount(house), 0);
    const swept = await deps.meter.registry.getSingleMetricAsString('porter_sweep_seconds');
    assert.match(swept, /^porter_sweep_seconds_count 1$/m);
    house.pass(DAY);
    await sweep(deps, KEEP);
    assert.deepEqual(tidied, [house.deps.clock() - 2 * DAY, house.deps.clock() - DAY]);
    await sweep(deps, { ...KEEP, dryRun: true });
    assert.equal(tidied.length, 2, 'a trial run changes nothing');
  });

  test('leaves each owner what the soft quota says, the oldest going first', async (t) => {
    const house = await openHouse(t);
    const slots = [];
    for (let i = 0; i < 5; i += 1) {
      slots.push(await house.upload());
      house.pass(1000);
    }
    await house.upload({ jid: 'juliet@example.org' });
    house.rule({ retention: { ...retention, soft_quota: 250 } });
    assert.equal((await sweep(house.deps, KEEP)).softQuota, 3);
    const left = await Promise.all(slots.map(({ id }) => house.deps.ledger.find(id)));
    assert.deepEqual(
      left.map((upload) => upload !== undefined),
      [false, false, false, true, true],
    );
    assert.equal(await blobCount(house), 3);
  });

  test('that only counts changes nothing', async (t) => {
    const house = await openHouse(t);
    await house.upload();
    await house.ask();
    house.pass(31 * DAY);
    const report = await sweep(house.deps, { ...KEEP, dryRun: true });
    assert.deepEqual([report.expired, report.unused, report.bytes], [1, 1, 100]);
    assert.equal(await blobCount(house), 1);
    assert.equal((await house.deps.ledger.stats()).uploads, 1);
  });

  test('with an age of its own leaves purposes to theirs', async (t) => {
    const house = await openHouse(t);
    await house.upload();
    await house.upload({ purpose: 'ephemeral' });
    house.pass(2 * DAY);
    assert.equal((await sweep(house.deps, { ...KEEP, maxAge: DAY })).expired, 1);
    assert.equal(await blobCount(house), 1);
  });

  test('works through more than one batch, and beside another sweep', async (t) => {
    const house = await openHouse(t);
    await Promise.all(Array.from({ length: 1200 }, () => house.ask()));
    house.pass(6 * MINUTE);
    const reports = await Promise.all([sweep(house.deps, KEEP), sweep(house.deps, KEEP)]);
    assert.equal((reports[0]?.unused ?? 0) + (reports[1]?.unused ?? 0), 1200);
    assert.equal((await house.deps.ledger.stats()).pendingUploads, 0);
  });

  test('drops old records of links that nobody can fill again', async (t) => {
    const house = await openHouse(t);
    const slot = await house.ask();
    house.pass(6 * MINUTE);
    await sweep(house.deps, KEEP);
    house.pass(366 * DAY);
    await sweep(house.deps, { keepRecords: null });
    assert.ok(await house.deps.ledger.findRemoval(slot.id));
    assert.equal((await sweep(house.deps, KEEP)).records, 1);
    assert.equal(await house.deps.ledger.findRemoval(slot.id), undefined);
  });
});

describe('removing', () => {
  test('takes bytes and row, gives the quota back, and passes over what is not there', async (t) => {
    const house = await openHouse(t);
    const slot = await house.upload();
    const removed = await remove(house.deps, {
      ids: [slot.id, 'nothing'],
      reason: 'deleted',
      detail: 'by me',
    });
    assert.deepEqual(
      removed.map(({ id }) => id),
      [slot.id],
    );
    assert.equal(await blobCount(house), 0);
    assert.equal((await house.deps.ledger.usage('romeo@example.org')).bytes, 0);
    assert.equal((await house.deps.ledger.findRemoval(slot.id))?.detail, 'by me');
  });

  test('of an owner leaves no trace of the name, and nobody else is touched', async (t) => {
    const house = await openHouse(t);
    const mine = await house.upload();
    await house.ask();
    await house.upload({ jid: 'juliet@example.org' });
    assert.equal(await forget(house.deps, 'romeo@example.org'), 2);
    assert.equal(await blobCount(house), 1);
    const owners = await house.deps.ledger.listOwners({ limit: 10 });
    assert.deepEqual(
      owners.map(({ owner }) => owner),
      ['juliet@example.org'],
    );
    const record = await house.deps.ledger.findRemoval(mine.id);
    assert.deepEqual([record?.reason, record?.owner, record?.name], ['forgotten', '', '']);
  });
});
