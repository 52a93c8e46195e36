import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { hashedOwner, sha1OfJid } from '../../../src/base/owners.ts';
import { unlimited } from '../../../src/ledger/contract.ts';
import { checkBooks, JULIET, NOW, type Open, onLedger, ROMEO, refused, store } from './fixture.ts';

const SHA1 = sha1OfJid(ROMEO);
const HASHED = hashedOwner(SHA1);

/** Owners of whom a link tells only the hash. */
export function hashedSuite(open: Open): void {
  describe('an owner who is known by the hash of a JID', () => {
    onLedger(open, 'is found by it once the JID has anything here', async (ledger) => {
      assert.equal(await ledger.ownerBySha1(SHA1), undefined);
      await store(ledger, { upload: { owner: ROMEO } });
      await store(ledger, { upload: { owner: JULIET } });
      assert.equal(await ledger.ownerBySha1(SHA1), ROMEO);
      assert.equal(await ledger.ownerBySha1(SHA1.slice(1)), undefined);
    });

    onLedger(open, 'is no JID as long as nobody has named it', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      assert.equal(await ledger.ownerBySha1(SHA1), undefined);
      assert.equal((await ledger.usage(HASHED)).uploads, 1);
    });

    onLedger(open, 'keeps its files, its count and its records when the JID is named', async (ledger) => {
      const old = await store(ledger, { upload: { owner: HASHED } });
      const gone = await store(ledger, { upload: { owner: HASHED } });
      await ledger.remove({ ids: [gone], reason: 'deleted', detail: '', now: NOW });
      await store(ledger, { upload: { owner: ROMEO } });
      assert.equal((await ledger.find(old))?.owner, ROMEO);
      assert.equal((await ledger.findRemoval(gone))?.owner, ROMEO);
      assert.equal((await ledger.usage(ROMEO)).bytes, 200);
      assert.equal((await ledger.usage(HASHED)).uploads, 0);
      assert.equal((await ledger.stats()).owners, 1);
      await checkBooks(ledger);
    });

    onLedger(open, 'has one quota with the JID that it turns out to be', async (ledger) => {
      await store(ledger, { upload: { owner: HASHED } });
      const answer = await refused(ledger, {
        upload: { owner: ROMEO },
        limits: { ...unlimited, ownerBytes: 150 },
      });
      assert.equal(answer.limit, 'ownerBytes');
      assert.equal(answer.used, 100);
      await checkBooks(ledger);
    });
  });
}
