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
  test('removes uploads past their age with their bytes, and records the reason', async (t) => {
    const env = await openTestServices(t);
    const old = await env.upload();
    env.advance(20 * DAY);
    const young = await env.upload();
    env.advance(10 * DAY);
    const report = await runSweep(env.services, KEEP);
    assert.equal(report.expired, 1);
    assert.equal(report.bytes, 100);
    assert.equal(await env.services.ledger.find(old.id), undefined);
    assert.equal((await env.services.ledger.find(young.id))?.state, 'stored');
    assert.equal(await blobCount(env), 1);
    const removal = await env.services.ledger.findRemoval(old.id);
    assert.equal(removal?.reason, 'expired');
    assert.match(removal?.detail ?? '', /30 d/);
  });

  test('obeys the purpose and the expiry of the request', async (t) => {
    const env = await openTestServices(t);
    await env.upload({ purpose: 'profile' });
    await env.upload({ purpose: 'ephemeral' });
    await env.upload({ expiresAt: env.services.clock() + DAY });
    env.advance(2 * DAY);
    assert.equal((await runSweep(env.services, KEEP)).expired, 1);
    env.advance(6 * DAY);
    assert.equal((await runSweep(env.services, KEEP)).expired, 1);
    env.advance(400 * DAY);
    assert.equal((await runSweep(env.services, KEEP)).expired, 0);
    assert.equal(await blobCount(env), 1);
  });

  test('applies a retention that was shortened after the upload', async (t) => {
    const env = await openTestServices(t);
    await env.upload();
    env.advance(5 * DAY);
    env.setRules({ retention: { ...retention, max_age: 5 * DAY } });
    assert.equal((await runSweep(env.services, KEEP)).expired, 1);
  });

  test('removes files with purposes that are no longer offered', async (t) => {
    const env = await openTestServices(t);
    await env.upload({ purpose: 'ephemeral' });
    env.setRules({ retention: { ...retention, purposes: {} } });
    env.advance(30 * DAY);
    assert.equal((await runSweep(env.services, KEEP)).expired, 1);
  });

  test('releases unused slots', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.requestSlot();
    env.advance(6 * MINUTE);
    assert.equal((await runSweep(env.services, KEEP)).unused, 1);
    assert.equal((await env.services.ledger.usage('romeo@example.org')).pendingBytes, 0);
    assert.equal((await env.services.ledger.findRemoval(slot.id))?.reason, 'unused');
  });

  test('completes if the store cannot remove abandoned writes, fails with its error, and tries again next time', async (t) => {
    const env = await openTestServices(t);
    const old = await env.upload();
    env.advance(30 * DAY);
    const cutoffs: number[] = [];
    const removeAbandonedWrites = async (before: number) => {
      cutoffs.push(before);
      if (cutoffs.length === 1) throw new BlobError('denied', 'S3 refuses.');
      return 1;
    };
    const services = { ...env.services, blobs: { ...env.services.blobs, removeAbandonedWrites } };
    await assert.rejects(runSweep(services, KEEP), { name: 'BlobError', kind: 'denied' });
    assert.equal((await services.ledger.findRemoval(old.id))?.reason, 'expired');
    assert.equal(await blobCount(env), 0);
    const swept = await services.metrics.registry.getSingleMetricAsString('porter_sweep_seconds');
    assert.match(swept, /^porter_sweep_seconds_count 1$/m);
    env.advance(DAY);
    await runSweep(services, KEEP);
    assert.deepEqual(cutoffs, [env.services.clock() - 2 * DAY, env.services.clock() - DAY]);
    await runSweep(services, { ...KEEP, dryRun: true });
    assert.equal(cutoffs.length, 2, 'a trial run changes nothing');
  });

  test('removes the oldest uploads of each owner above the soft quota', async (t) => {
    const env = await openTestServices(t);
    const slots = [];
    for (let i = 0; i < 5; i += 1) {
      slots.push(await env.upload());
      env.advance(1000);
    }
    await env.upload({ jid: 'juliet@example.org' });
    env.setRules({ retention: { ...retention, soft_quota: 250 } });
    assert.equal((await runSweep(env.services, KEEP)).softQuota, 3);
    const left = await Promise.all(slots.map(({ id }) => env.services.ledger.find(id)));
    assert.deepEqual(
      left.map((upload) => upload !== undefined),
      [false, false, false, true, true],
    );
    assert.equal(await blobCount(env), 3);
  });

  test('with dryRun changes nothing', async (t) => {
    const env = await openTestServices(t);
    await env.upload();
    await env.requestSlot();
    env.advance(31 * DAY);
    const report = await runSweep(env.services, { ...KEEP, dryRun: true });
    assert.deepEqual([report.expired, report.unused, report.bytes], [1, 1, 100]);
    assert.equal(await blobCount(env), 1);
    assert.equal((await env.services.ledger.stats()).uploads, 1);
  });

  test('with maxAge keeps the configured ages of purposes', async (t) => {
    const env = await openTestServices(t);
    await env.upload();
    await env.upload({ purpose: 'ephemeral' });
    env.advance(2 * DAY);
    assert.equal((await runSweep(env.services, { ...KEEP, maxAge: DAY })).expired, 1);
    assert.equal(await blobCount(env), 1);
  });

  test('works through several batches, also at the same time as another sweep', async (t) => {
    const env = await openTestServices(t);
    await Promise.all(Array.from({ length: 1200 }, () => env.requestSlot()));
    env.advance(6 * MINUTE);
    const reports = await Promise.all([runSweep(env.services, KEEP), runSweep(env.services, KEEP)]);
    assert.equal((reports[0]?.unused ?? 0) + (reports[1]?.unused ?? 0), 1200);
    assert.equal((await env.services.ledger.stats()).pendingUploads, 0);
  });

  test('deletes old records of slots that can no longer be used', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.requestSlot();
    env.advance(6 * MINUTE);
    await runSweep(env.services, KEEP);
    env.advance(366 * DAY);
    await runSweep(env.services, { keepRecords: null });
    assert.ok(await env.services.ledger.findRemoval(slot.id));
    assert.equal((await runSweep(env.services, KEEP)).records, 1);
    assert.equal(await env.services.ledger.findRemoval(slot.id), undefined);
  });
});

describe('removing', () => {
  test('removes bytes and row, releases the quota, and ignores unknown ids', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.upload();
    const removed = await removeUploads(env.services, {
      ids: [slot.id, 'nothing'],
      reason: 'deleted',
      detail: 'by me',
    });
    assert.deepEqual(
      removed.map(({ id }) => id),
      [slot.id],
    );
    assert.equal(await blobCount(env), 0);
    assert.equal((await env.services.ledger.usage('romeo@example.org')).bytes, 0);
    assert.equal((await env.services.ledger.findRemoval(slot.id))?.detail, 'by me');
  });

  test('all data of an owner leaves no trace of the name and keeps the data of others', async (t) => {
    const env = await openTestServices(t);
    const mine = await env.upload();
    await env.requestSlot();
    await env.upload({ jid: 'juliet@example.org' });
    assert.equal(await eraseOwner(env.services, 'romeo@example.org'), 2);
    assert.equal(await blobCount(env), 1);
    const owners = await env.services.ledger.listOwners({ limit: 10 });
    assert.deepEqual(
      owners.map(({ owner }) => owner),
      ['juliet@example.org'],
    );
    const record = await env.services.ledger.findRemoval(mine.id);
    assert.deepEqual([record?.reason, record?.owner, record?.name], ['forgotten', '', '']);
  });
});
