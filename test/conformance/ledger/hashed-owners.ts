import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { jidSha1, ownerFromSha1 } from '../../../src/base/owners.ts';
import { unlimited } from '../../../src/ledger/contract/ledger.ts';
import {
  checkCounters,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  store,
} from './fixture.ts';

const SHA1 = jidSha1(ROMEO);
const HASHED = ownerFromSha1(SHA1);

/** Tests of owners whose links contain only the hash of their JID. */
export function hashedOwnerSuite(open: OpenTestLedger): void {
  describe('an owner known by the hash of its JID', () => {
    ledgerTest(open, 'is found by the hash after its JID has reserved an upload', async (ledger) => {
      assert.equal(await ledger.findOwnerBySha1(SHA1), undefined);
      await store(ledger, { upload: { owner: ROMEO } });
      await store(ledger, { upload: { owner: JULIET } });
      assert.equal(await ledger.findOwnerBySha1(SHA1), ROMEO);
      assert.equal(await ledger.findOwnerBySha1(SHA1.slice(1)), undefined);
    });

    ledgerTest(open, 'has no JID before the JID is known', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      assert.equal(await ledger.findOwnerBySha1(SHA1), undefined);
      assert.equal((await ledger.usage(HASHED)).uploads, 1);
    });

    ledgerTest(open, 'keeps its files, counters and records when the JID becomes known', async (ledger) => {
      const old = await store(ledger, { upload: { owner: HASHED } });
      const removed = await store(ledger, { upload: { owner: HASHED } });
      await ledger.remove({ ids: [removed], reason: 'deleted', detail: '', now: NOW });
      await store(ledger, { upload: { owner: ROMEO } });
      assert.equal((await ledger.find(old))?.owner, ROMEO);
      assert.equal((await ledger.findRemoval(removed))?.owner, ROMEO);
      assert.equal((await ledger.usage(ROMEO)).bytes, 200);
      assert.equal((await ledger.usage(HASHED)).uploads, 0);
      assert.equal((await ledger.stats()).owners, 1);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'shares one quota with its JID', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      const result = await refused(ledger, {
        upload: { owner: ROMEO },
        limits: { ...unlimited, ownerBytes: 150 },
      });
      assert.equal(result.limit, 'ownerBytes');
      assert.equal(result.used, 100);
      await checkCounters(ledger);
    });
  });
}
