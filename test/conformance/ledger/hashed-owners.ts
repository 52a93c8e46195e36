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

/** Owners of whom a link tells only the hash. */
export function hashedOwnerSuite(open: OpenTestLedger): void {
  describe('an owner who is known by the hash of a JID', () => {
    ledgerTest(open, 'is found by it once the JID has anything here', async (ledger) => {
      assert.equal(await ledger.findOwnerBySha1(SHA1), undefined);
      await store(ledger, { upload: { owner: ROMEO } });
      await store(ledger, { upload: { owner: JULIET } });
      assert.equal(await ledger.findOwnerBySha1(SHA1), ROMEO);
      assert.equal(await ledger.findOwnerBySha1(SHA1.slice(1)), undefined);
    });

    ledgerTest(open, 'is no JID as long as nobody has named it', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      assert.equal(await ledger.findOwnerBySha1(SHA1), undefined);
      assert.equal((await ledger.usage(HASHED)).uploads, 1);
    });

    ledgerTest(open, 'keeps its files, its count and its records when the JID is named', async (ledger) => {
      const old = await store(ledger, { upload: { owner: HASHED } });
      const gone = await store(ledger, { upload: { owner: HASHED } });
      await ledger.remove({ ids: [gone], reason: 'deleted', detail: '', now: NOW });
      await store(ledger, { upload: { owner: ROMEO } });
      assert.equal((await ledger.find(old))?.owner, ROMEO);
      assert.equal((await ledger.findRemoval(gone))?.owner, ROMEO);
      assert.equal((await ledger.usage(ROMEO)).bytes, 200);
      assert.equal((await ledger.usage(HASHED)).uploads, 0);
      assert.equal((await ledger.stats()).owners, 1);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'has one quota with the JID that it turns out to be', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      const answer = await refused(ledger, {
        upload: { owner: ROMEO },
        limits: { ...unlimited, ownerBytes: 150 },
      });
      assert.equal(answer.limit, 'ownerBytes');
      assert.equal(answer.used, 100);
      await checkCounters(ledger);
    });
  });
}
