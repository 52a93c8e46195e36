import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlobError } from '../../../src/blobs/contract.ts';
import { eraseOwner, removeUploads } from '../../../src/uploads/remove.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { DAY, MINUTE, openTestServices, retention, type TestServices } from '../../support/test-services.ts';

const KEEP = { keepRecords: 365 * DAY };

async function blobCount({ services }: TestServices): Promise<number> {
  return (await Array.fromAsync(services.blobs.list())).length;
}

describe('a sweep', () => {
  test('removes what is past its age, bytes and all, and keeps the reason on record', async (t) => {
    const house = await openTestServices(t);
    const old = await house.upload();
    house.advance(20 * DAY);
    const young = await house.upload();
    house.advance(10 * DAY);
    const report = await runSweep(house.services, KEEP);
    assert.equal(report.expired, 1);
    assert.equal(report.bytes, 100);
    assert.equal(await house.services.ledger.find(old.id), undefined);
    assert.equal((await house.services.ledger.find(young.id))?.state, 'stored');
    assert.equal(await blobCount(house), 1);
    const removal = await house.services.ledger.findRemoval(old.id);
    assert.equal(removal?.reason, 'expired');
    assert.match(removal?.detail ?? '', /30 d/);
  });

  test('goes by purpose and by the moment a request named', async (t) => {
    const house = await openTestServices(t);
    await house.upload({ purpose: 'profile' });
    await house.upload({ purpose: 'ephemeral' });
    await house.upload({ expiresAt: house.services.clock() + DAY });
    house.advance(2 * DAY);
    assert.equal((await runSweep(house.services, KEEP)).expired, 1);
    house.advance(6 * DAY);
    assert.equal((await runSweep(house.services, KEEP)).expired, 1);
    house.advance(400 * DAY);
    assert.equal((await runSweep(house.services, KEEP)).expired, 0);
    assert.equal(await blobCount(house), 1);
  });

  test('follows a retention that was shortened since', async (t) => {
    const house = await openTestServices(t);
    await house.upload();
    house.advance(5 * DAY);
    house.setRules({ retention: { ...retention, max_age: 5 * DAY } });
    assert.equal((await runSweep(house.services, KEEP)).expired, 1);
  });

  test('removes files of purposes that are no longer offered', async (t) => {
    const house = await openTestServices(t);
    await house.upload({ purpose: 'ephemeral' });
    house.setRules({ retention: { ...retention, purposes: {} } });
    house.advance(30 * DAY);
    assert.equal((await runSweep(house.services, KEEP)).expired, 1);
  });

  test('gives unused slots back', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.requestSlot();
    house.advance(6 * MINUTE);
    assert.equal((await runSweep(house.services, KEEP)).unused, 1);
    assert.equal((await house.services.ledger.usage('romeo@example.org')).pendingBytes, 0);
    assert.equal((await house.services.ledger.findRemoval(slot.id))?.reason, 'unused');
  });

  test('is done where a store fails to tidy up after broken writes, says so, and the next one tries again', async (t) => {
    const house = await openTestServices(t);
    const old = await house.upload();
    house.advance(30 * DAY);
    const cutoffs: number[] = [];
    const removeAbandonedWrites = async (before: number) => {
      cutoffs.push(before);
      if (cutoffs.length === 1) throw new BlobError('denied', 'S3 refuses.');
      return 1;
    };
    const deps = { ...house.services, blobs: { ...house.services.blobs, removeAbandonedWrites } };
    await assert.rejects(runSweep(deps, KEEP), { name: 'BlobError', kind: 'denied' });
    assert.equal((await deps.ledger.findRemoval(old.id))?.reason, 'expired');
    assert.equal(await blobCount(house), 0);
    const swept = await deps.metrics.registry.getSingleMetricAsString('porter_sweep_seconds');
    assert.match(swept, /^porter_sweep_seconds_count 1$/m);
    house.advance(DAY);
    await runSweep(deps, KEEP);
    assert.deepEqual(cutoffs, [house.services.clock() - 2 * DAY, house.services.clock() - DAY]);
    await runSweep(deps, { ...KEEP, dryRun: true });
    assert.equal(cutoffs.length, 2, 'a trial run changes nothing');
  });

  test('leaves each owner what the soft quota says, the oldest going first', async (t) => {
    const house = await openTestServices(t);
    const slots = [];
    for (let i = 0; i < 5; i += 1) {
      slots.push(await house.upload());
      house.advance(1000);
    }
    await house.upload({ jid: 'juliet@example.org' });
    house.setRules({ retention: { ...retention, soft_quota: 250 } });
    assert.equal((await runSweep(house.services, KEEP)).softQuota, 3);
    const left = await Promise.all(slots.map(({ id }) => house.services.ledger.find(id)));
    assert.deepEqual(
      left.map((upload) => upload !== undefined),
      [false, false, false, true, true],
    );
    assert.equal(await blobCount(house), 3);
  });

  test('that only counts changes nothing', async (t) => {
    const house = await openTestServices(t);
    await house.upload();
    await house.requestSlot();
    house.advance(31 * DAY);
    const report = await runSweep(house.services, { ...KEEP, dryRun: true });
    assert.deepEqual([report.expired, report.unused, report.bytes], [1, 1, 100]);
    assert.equal(await blobCount(house), 1);
    assert.equal((await house.services.ledger.stats()).uploads, 1);
  });

  test('with an age of its own leaves purposes to theirs', async (t) => {
    const house = await openTestServices(t);
    await house.upload();
    await house.upload({ purpose: 'ephemeral' });
    house.advance(2 * DAY);
    assert.equal((await runSweep(house.services, { ...KEEP, maxAge: DAY })).expired, 1);
    assert.equal(await blobCount(house), 1);
  });

  test('works through more than one batch, and beside another sweep', async (t) => {
    const house = await openTestServices(t);
    await Promise.all(Array.from({ length: 1200 }, () => house.requestSlot()));
    house.advance(6 * MINUTE);
    const reports = await Promise.all([runSweep(house.services, KEEP), runSweep(house.services, KEEP)]);
    assert.equal((reports[0]?.unused ?? 0) + (reports[1]?.unused ?? 0), 1200);
    assert.equal((await house.services.ledger.stats()).pendingUploads, 0);
  });

  test('drops old records of links that nobody can fill again', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.requestSlot();
    house.advance(6 * MINUTE);
    await runSweep(house.services, KEEP);
    house.advance(366 * DAY);
    await runSweep(house.services, { keepRecords: null });
    assert.ok(await house.services.ledger.findRemoval(slot.id));
    assert.equal((await runSweep(house.services, KEEP)).records, 1);
    assert.equal(await house.services.ledger.findRemoval(slot.id), undefined);
  });
});

describe('removing', () => {
  test('takes bytes and row, gives the quota back, and passes over what is not there', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.upload();
    const removed = await removeUploads(house.services, {
      ids: [slot.id, 'nothing'],
      reason: 'deleted',
      detail: 'by me',
    });
    assert.deepEqual(
      removed.map(({ id }) => id),
      [slot.id],
    );
    assert.equal(await blobCount(house), 0);
    assert.equal((await house.services.ledger.usage('romeo@example.org')).bytes, 0);
    assert.equal((await house.services.ledger.findRemoval(slot.id))?.detail, 'by me');
  });

  test('of an owner leaves no trace of the name, and nobody else is touched', async (t) => {
    const house = await openTestServices(t);
    const mine = await house.upload();
    await house.requestSlot();
    await house.upload({ jid: 'juliet@example.org' });
    assert.equal(await eraseOwner(house.services, 'romeo@example.org'), 2);
    assert.equal(await blobCount(house), 1);
    const owners = await house.services.ledger.listOwners({ limit: 10 });
    assert.deepEqual(
      owners.map(({ owner }) => owner),
      ['juliet@example.org'],
    );
    const record = await house.services.ledger.findRemoval(mine.id);
    assert.deepEqual([record?.reason, record?.owner, record?.name], ['forgotten', '', '']);
  });
});
