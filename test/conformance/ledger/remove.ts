import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Ledger, SweepStep } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  claimSlot,
  DAY,
  FORGOT_NOTHING,
  HOUR,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  lifetimes,
  NOW,
  type OpenTestLedger,
  ROMEO,
  reservation,
  SECOND,
  SLOT_TIME,
  store,
} from './fixture.ts';

export function removeSuite(open: OpenTestLedger): void {
  describe('remove', () => {
    ledgerTest(open, 'removes and returns uploads of any state, and ignores unknown ids', async (ledger) => {
      const stored = await store(ledger, { upload: { purpose: 'profile' } });
      const issued = await issue(ledger);
      const receiving = await issue(ledger, { upload: { owner: ROMEO } });
      await claimSlot(ledger, receiving);
      const before = await Promise.all([stored, issued, receiving].map((id) => ledger.find(id)));
      const order = { reason: 'deleted', detail: 'deleted by admin@example.org', now: NOW + 1 } as const;
      const removed = await ledger.remove({ ...order, ids: [stored, 'unknown', issued, receiving] });
      const byId = (a: { id: string } | undefined, b: { id: string } | undefined) =>
        String(a?.id).localeCompare(String(b?.id));
      assert.deepEqual(removed.toSorted(byId), before.toSorted(byId));
      assert.equal(await ledger.find(stored), undefined);
      assert.equal(await ledger.findByPutKey(`key of ${issued}`), undefined);
      assert.deepEqual(await ledger.findRemoval(stored), {
        locator: stored,
        id: stored,
        owner: JULIET,
        endpoint: 'component',
        name: 'balcony.jpg',
        size: 100,
        stored: true,
        createdAt: NOW,
        removedAt: NOW + 1,
        reason: 'deleted',
        detail: 'deleted by admin@example.org',
      });
      assert.equal((await ledger.findRemoval(receiving))?.stored, false);
      assert.deepEqual(await ledger.remove({ ...order, ids: [stored] }), []);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'makes blobs with bytes pending deletes until they are confirmed', async (ledger) => {
      const stored = await store(ledger);
      const issued = await issue(ledger);
      const tried = await issue(ledger);
      await claimSlot(ledger, tried);
      await ledger.release({ ...attempt(tried, `token of ${tried}`), now: NOW });
      const blobs = [stored, tried].map((id) => attempt(id, `token of ${id}`).blob);
      assert.deepEqual(await pendingKeys(ledger), blobs.slice(1), 'the bytes of the failed attempt');
      await ledger.remove({ ids: [stored, issued, tried], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), blobs.toSorted());
      assert.equal((await pendingKeys(ledger, 1)).length, 1);
      await ledger.confirmDeleted(blobs.slice(0, 1));
      assert.deepEqual(await pendingKeys(ledger), blobs.slice(1));
      await ledger.confirmDeleted(blobs);
      assert.deepEqual(await pendingKeys(ledger), []);
    });

    ledgerTest(
      open,
      'lists a blob that cannot be deleted again when its next attempt is due',
      async (ledger) => {
        const stored = [await store(ledger), await store(ledger)];
        const [stuck = '', other = ''] = stored.map((id) => attempt(id, `token of ${id}`).blob);
        await ledger.remove({ ids: stored, reason: 'deleted', detail: '', now: NOW });
        assert.deepEqual(await ledger.failedDeletes(9), []);
        const begun = await ledger.beginDeletes([stuck, other, 'gone']);
        assert.deepEqual(
          begun.toSorted((a, b) => a.blob.localeCompare(b.blob)),
          [stuck, other].toSorted().map((blob) => ({ blob, attempts: 1 })),
        );
        assert.equal((await ledger.pendingDeletes({ now: NOW, limit: 9 })).length, 2, 'a kill loses no key');
        await ledger.confirmDeleted([other]);
        await ledger.postponeDeletes([{ blob: stuck, retryAt: NOW + SECOND, reason: 'EPERM' }]);
        assert.deepEqual(await ledger.pendingDeletes({ now: NOW, limit: 9 }), []);
        assert.deepEqual(await ledger.pendingDeletes({ now: NOW + SECOND, limit: 9 }), [stuck]);
        assert.deepEqual(await ledger.beginDeletes([stuck]), [{ blob: stuck, attempts: 2 }]);
        assert.deepEqual(await ledger.failedDeletes(9), [
          { blob: stuck, attempts: 2, retryAt: NOW + SECOND, reason: 'EPERM' },
        ]);
        await ledger.confirmDeleted([stuck]);
        assert.deepEqual(await ledger.failedDeletes(9), []);
      },
    );

    ledgerTest(open, 'removes 1,000 uploads at once', async (ledger) => {
      const ids: string[] = [];
      // In groups, because waiting for a connection of the pool is limited by time.
      while (ids.length < 1000) {
        ids.push(...(await Promise.all(Array.from({ length: 50 }, () => store(ledger)))));
      }
      const removed = await ledger.remove({ ids, reason: 'deleted', detail: '', now: NOW });
      assert.equal(removed.length, 1000);
      assert.equal((await pendingKeys(ledger, 2000)).length, 1000);
      await checkCounters(ledger);
    });
  });
  forgetSuite(open);
  sweepSuite(open);
}

function forgetSuite(open: OpenTestLedger): void {
  describe('forget', () => {
    ledgerTest(open, 'removes an owner in steps, and leaves neither owner nor file names', async (ledger) => {
      const limits = { bytesPer: { period: HOUR, bytes: 10_000 } };
      const deleted = await store(ledger, { limits });
      const detail = `deleted by ${JULIET}`;
      await ledger.remove({ ids: [deleted], reason: 'deleted', detail, now: NOW });
      const ids = await Promise.all(
        [0, 1, 2, 3, 4].map((i) =>
          (i < 3 ? store : issue)(ledger, { limits, upload: { purpose: 'profile' } }),
        ),
      );
      const other = await store(ledger, { upload: { owner: ROMEO } });
      const order = { owner: JULIET, limit: 2, now: NOW + 1 };
      const steps = [];
      do steps.push(await ledger.forget(order));
      while (steps.at(-1)?.left !== 0 && steps.length < 9);
      assert.equal(
        steps.reduce((sum, { removed }) => sum + removed, 0),
        5,
      );
      assert.equal(
        steps.reduce((sum, { bytes }) => sum + bytes, 0),
        500,
      );
      assert.deepEqual(steps.flatMap(({ locators }) => locators).sort(), ids.toSorted());
      assert.deepEqual(await ledger.findExistingIds(ids), []);
      assert.deepEqual(
        (await ledger.listOwners({ limit: 9 })).map(({ owner }) => owner),
        [ROMEO],
      );
      assert.deepEqual(await ledger.usage(JULIET), {
        uploads: 0,
        bytes: 0,
        pendingUploads: 0,
        pendingBytes: 0,
      });
      const records = await ledger.listRemovals({ limit: 99 });
      assert.equal(records.length, 6);
      assert.doesNotMatch(JSON.stringify(records), /juliet|balcony/);
      assert.deepEqual([(await ledger.findRemoval(String(ids[0])))?.reason, other.length], ['forgotten', 26]);
      assert.equal((await pendingKeys(ledger)).length, 4);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'leaves no record of test uploads, as remove does', async (ledger) => {
      const id = await store(ledger);
      await issue(ledger);
      const order = { reason: 'deleted', detail: 'a test', now: NOW, withoutRecord: true } as const;
      assert.equal((await ledger.remove({ ...order, ids: [id] })).length, 1);
      await ledger.forget({ owner: JULIET, limit: 9, now: NOW, withoutRecord: true });
      assert.deepEqual(await ledger.listRemovals({ limit: 99 }), []);
      assert.equal((await ledger.stats()).removals, 0);
      assert.equal((await pendingKeys(ledger)).length, 1);
      await checkCounters(ledger);
    });

    ledgerTest(
      open,
      'erases the JID from records about files of others, for example of a moderator',
      async (ledger) => {
        const trashed = { restorableUntil: NOW + DAY };
        const remove = async (detail: string) => {
          const ids = [await store(ledger, { upload: { owner: ROMEO, name: 'a.txt' } })];
          await ledger.remove({ ids, reason: 'deleted', detail, now: NOW, ...trashed });
        };
        const details = [
          ['deleted by juliet@example.org', 'deleted by a forgotten user'],
          ['deleted by juliet@example.org: spam', 'deleted by a forgotten user: spam'],
          ['blocked by juliet@example.org', 'blocked by a forgotten user'],
          [
            'deleted by the admin token: wish of juliet@example.org.',
            'deleted by the admin token: wish of a forgotten user.',
          ],
          ['deleted by not-juliet@example.org', 'deleted by not-juliet@example.org'],
          ['deleted by juliet@example.org.uk', 'deleted by juliet@example.org.uk'],
        ] as const;
        for (const [detail] of details) await remove(detail);
        const sha256 = 'a'.repeat(64);
        const hash = { sha256, reason: `wish of ${JULIET}`, blockedBy: JULIET, blockedAt: NOW, size: null };
        await ledger.blockHash(hash);
        const call = { hook: 'alerts', at: NOW, status: 403, address: '::1', program: 'curl' };
        await ledger.recordHookCalls([{ ...call, refusal: `${JULIET} is no recipient.` }]);
        assert.deepEqual(await ledger.forget({ owner: JULIET, limit: 9, now: NOW }), FORGOT_NOTHING);
        const expected = details.map(([, detail]) => detail).toSorted();
        const records = await ledger.listRemovals({ limit: 99 });
        assert.deepEqual(records.map(({ detail }) => detail).toSorted(), expected);
        const trash = await ledger.listTrash({ limit: 99 });
        assert.deepEqual(trash.map(({ removedBy }) => removedBy).toSorted(), expected);
        assert.deepEqual(await ledger.findBlockedHash(sha256), {
          ...hash,
          reason: 'wish of a forgotten user',
          blockedBy: 'a forgotten user',
        });
        assert.equal((await ledger.listHookCalls())[0]?.refusal, 'a forgotten user is no recipient.');
      },
    );

    ledgerTest(open, 'does nothing for an unknown owner', async (ledger) => {
      assert.deepEqual(await ledger.forget({ owner: ROMEO, limit: 9, now: NOW }), FORGOT_NOTHING);
    });

    ledgerTest(open, 'allows the owner to upload again as a new one', async (ledger) => {
      await store(ledger, { upload: { size: 100 } });
      await ledger.forget({ owner: JULIET, limit: 9, now: NOW });
      await store(ledger, { limits: { ownerBytes: 100, uploadsPer: { period: HOUR, uploads: 1 } } });
      await checkCounters(ledger);
    });
  });
}

/** Repeats a step until it is finished. Returns the count of each step. */
async function sweepAll(ledger: Ledger, step: SweepStep): Promise<number[]> {
  const counts: number[] = [];
  do counts.push((await ledger.sweep(step)).count);
  while ((counts.at(-1) ?? 0) >= step.limit && counts.length < 99);
  return counts;
}

const dead = {
  kind: 'dead_claims',
  ledgerTime: NOW + 120 * SECOND,
  now: NOW + 120 * SECOND,
  limit: 9,
} as const;

function sweepSuite(open: OpenTestLedger): void {
  describe('sweep', () => {
    ledgerTest(open, 'removes unused slots in batches', async (ledger) => {
      const ids = await Promise.all(Array.from({ length: 25 }, () => issue(ledger)));
      const kept = await issue(ledger, { now: NOW + 1 });
      const step = { kind: 'unused', limit: 10, now: NOW + SLOT_TIME } as const;
      assert.deepEqual(await ledger.sweep({ ...step, limit: 1e6, dryRun: true }), { count: 25, bytes: 2500 });
      assert.equal((await ledger.findExistingIds(ids)).length, 25, 'a dry run changes nothing');
      assert.deepEqual(await sweepAll(ledger, step), [10, 10, 5]);
      assert.deepEqual(await ledger.findExistingIds([...ids, kept]), [kept]);
      assert.equal((await ledger.findRemoval(String(ids[0])))?.reason, 'unused');
      assert.deepEqual(await pendingKeys(ledger), [], 'their keys never had bytes');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'removes only uploads older than the maximum age of their purpose', async (ledger) => {
      const old = await store(ledger);
      const young = await store(ledger, { now: NOW + 1 });
      const other = await store(ledger, { upload: { purpose: 'profile' } });
      const step = { kind: 'max_age', purpose: '', maxAge: 30 * DAY } as const;
      const order = { ...step, limit: 10, now: NOW + 30 * DAY };
      assert.deepEqual(await ledger.sweep({ ...order, dryRun: true }), { count: 1, bytes: 100 });
      assert.deepEqual(await ledger.sweep(order), { count: 1, bytes: 100 });
      assert.deepEqual(
        (await ledger.findExistingIds([old, young, other])).toSorted(),
        [young, other].toSorted(),
      );
      const removal = await ledger.findRemoval(old);
      assert.deepEqual([removal?.reason, removal?.detail], ['expired', 'older than 30 d']);
      assert.equal((await pendingKeys(ledger)).length, 1);
    });

    ledgerTest(open, 'removes uploads past their expiresAt', async (ledger) => {
      const ended = await store(ledger, { upload: { expiresAt: NOW + HOUR, purpose: 'profile' } });
      await store(ledger, { upload: { expiresAt: NOW + HOUR + 1 } });
      await store(ledger);
      const step = { kind: 'expires_at', limit: 10, now: NOW + HOUR } as const;
      assert.deepEqual(await ledger.sweep({ ...step, dryRun: true }), { count: 1, bytes: 100 });
      assert.deepEqual(await ledger.sweep(step), { count: 1, bytes: 100 });
      assert.equal((await ledger.findRemoval(ended))?.reason, 'expired');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'returns slots of dead processes to issued and deletes their bytes', async (ledger) => {
      const id = await issue(ledger);
      const { blob } = await claimSlot(ledger, id, { instance: 'dead' });
      assert.deepEqual(await ledger.sweep({ ...dead, dryRun: true }), { count: 1, bytes: 100 });
      assert.deepEqual(await ledger.sweep(dead), { count: 1, bytes: 0 });
      assert.equal((await ledger.find(id))?.state, 'issued');
      assert.deepEqual(await pendingKeys(ledger), [blob]);
      await ledger.confirmDeleted([blob]);
      const next = { by: { putKey: `key of ${id}` }, token: 'next', instance: 'here', now: dead.now };
      assert.equal((await ledger.claim(next)).outcome, 'claimed');
      assert.ok(await ledger.commit({ ...attempt(id, 'next'), now: dead.now, size: 100 }));
      assert.deepEqual(await pendingKeys(ledger), []);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: dead.now });
      assert.deepEqual(await pendingKeys(ledger), [attempt(id, 'next').blob]);
    });

    ledgerTest(
      open,
      'makes the blob of a dead process a pending delete after the deadline',
      async (ledger) => {
        const id = await issue(ledger);
        const { blob } = await claimSlot(ledger, id, { instance: 'dead' });
        await ledger.sweep(dead);
        await ledger.sweep({ kind: 'unused', limit: 9, now: NOW + SLOT_TIME });
        assert.deepEqual(await ledger.findExistingIds([id]), []);
        assert.deepEqual(await pendingKeys(ledger), [blob]);
      },
    );

    ledgerTest(open, 'removes dead claims past their deadline or reserved by their PUT', async (ledger) => {
      const late = await issue(ledger);
      await claimSlot(ledger, late, { instance: 'dead' });
      const put = reservation({
        putKey: null,
        claim: { instance: 'dead', token: 't' },
        upload: { locator: 'external:abc', endpoint: 'external', deadline: NOW + 10 * DAY },
      });
      await ledger.reserve(put);
      const step = { ...dead, ledgerTime: NOW + HOUR + 60 * SECOND, now: NOW + 2 * HOUR };
      assert.deepEqual(await ledger.sweep(step), { count: 2, bytes: 200 });
      assert.deepEqual(await ledger.findExistingIds([late, put.upload.id]), []);
      assert.equal((await pendingKeys(ledger)).length, 2);
      assert.equal((await ledger.findRemoval(late))?.reason, 'unused');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'keeps the claims of running processes', async (ledger) => {
      await ledger.heartbeat(heartbeatOf('alive', NOW + 61 * SECOND));
      for (const instance of ['alive', 'new']) {
        await claimSlot(ledger, await issue(ledger), {
          instance,
          now: NOW + (instance === 'new' ? 61 : 0) * SECOND,
        });
      }
      assert.deepEqual(await ledger.sweep(dead), { count: 0, bytes: 0 });
    });

    softQuota(open);

    ledgerTest(open, 'removes old records, but keeps those that block a locator', async (ledger) => {
      const slot = await store(ledger);
      const link = await store(ledger, { upload: { locator: 'external:abc', endpoint: 'external' } });
      const recent = await store(ledger);
      await ledger.remove({ ids: [slot, link], reason: 'deleted', detail: '', now: NOW });
      await ledger.remove({ ids: [recent], reason: 'deleted', detail: '', now: NOW + 1 });
      const step = { kind: 'records', removedBefore: NOW, limit: 10, now: NOW + DAY } as const;
      assert.equal((await ledger.sweep({ ...step, dryRun: true })).count, 1);
      assert.equal((await ledger.sweep(step)).count, 1);
      assert.equal(await ledger.findRemoval(slot), undefined);
      assert.equal((await ledger.findRemoval('external:abc'))?.reason, 'deleted');
      assert.equal((await ledger.stats()).removals, 2);
    });
  });
}

function softQuota(open: OpenTestLedger): void {
  const step = {
    kind: 'soft_quota',
    bytes: 250,
    lifetimes,
    detail: 'soft',
    limit: 100,
    now: NOW + DAY,
  } as const;

  ledgerTest(open, 'removes the oldest uploads of owners above the soft quota', async (ledger) => {
    const ids = [];
    for (let i = 0; i < 5; i += 1) ids.push(await store(ledger, { now: NOW + i }));
    // An owner at exactly the quota is not above it.
    await Promise.all([100, 150].map((size) => store(ledger, { upload: { owner: ROMEO, size } })));
    assert.deepEqual(await ledger.sweep({ ...step, dryRun: true }), { count: 3, bytes: 300 });
    assert.deepEqual(await ledger.sweep(step), { count: 3, bytes: 300 });
    assert.deepEqual((await ledger.findExistingIds(ids)).toSorted(), ids.slice(3).toSorted());
    assert.equal((await ledger.usage(ROMEO)).uploads, 2);
    assert.equal((await ledger.findRemoval(String(ids[0])))?.reason, 'soft_quota');
    assert.deepEqual(await ledger.sweep(step), { count: 0, bytes: 0 });
    await checkCounters(ledger);
  });

  ledgerTest(open, 'leaves an owner exactly the soft quota', async (ledger) => {
    const ids = [];
    for (const i of [0, 1, 2]) ids.push(await store(ledger, { now: NOW + i * SECOND }));
    assert.deepEqual(await ledger.sweep({ ...step, bytes: 200 }), { count: 1, bytes: 100 });
    assert.deepEqual(await ledger.findExistingIds(ids), ids.slice(1));
    assert.deepEqual(await ledger.sweep({ ...step, bytes: 200 }), { count: 0, bytes: 0 });
  });

  ledgerTest(open, 'does not apply the soft quota to purposes without a maximum age', async (ledger) => {
    const kept = await store(ledger, { upload: { size: 900, purpose: 'profile' } });
    const old = await store(ledger, { upload: { size: 50 }, now: NOW + 1 });
    assert.deepEqual(await ledger.sweep(step), { count: 1, bytes: 50 });
    assert.deepEqual(await ledger.findExistingIds([kept, old]), [kept]);
    assert.deepEqual(await ledger.sweep(step), { count: 0, bytes: 0 });
  });

  ledgerTest(open, 'does not apply the soft quota to shared owners', async (ledger) => {
    for (const owner of ['external', 'import:metronome']) {
      for (let i = 0; i < 3; i += 1) await store(ledger, { upload: { owner } });
    }
    assert.deepEqual(await ledger.sweep(step), { count: 0, bytes: 0 });
    await Promise.all([0, 1, 2].map(() => store(ledger)));
    assert.deepEqual(await ledger.sweep(step), { count: 1, bytes: 100 });
  });

  ledgerTest(open, 'reaches all owners above the soft quota in batches', async (ledger) => {
    const owners = Array.from({ length: 120 }, (_, i) => `user${i}@example.org`);
    for (const owner of owners) {
      await Promise.all([0, 1, 2].map(() => store(ledger, { upload: { owner } })));
    }
    const counts = await sweepAll(ledger, { ...step, limit: 50 });
    assert.deepEqual(counts, [50, 50, 20]);
    const usages = await ledger.listOwners({ limit: 200 });
    assert.deepEqual(new Set(usages.map(({ bytes }) => bytes)), new Set([200]));
  });
}
