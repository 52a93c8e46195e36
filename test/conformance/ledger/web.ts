import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type GuestLinkRecord,
  MAX_CODE_ATTEMPTS,
  type WebSession,
  type WebToken,
} from '../../../src/ledger/contract/ledger.ts';
import { DAY, HOUR, JULIET, ledgerTest, NOW, type OpenTestLedger, ROMEO } from './fixture.ts';

function session(change: Partial<WebSession> = {}): WebSession {
  return {
    secretHash: 'hash',
    jid: JULIET,
    client: 'Firefox',
    createdAt: NOW,
    lastUsedAt: NOW,
    expiresAt: NOW + DAY,
    ...change,
  };
}

function token(change: Partial<WebToken> = {}): WebToken {
  return {
    id: 'id',
    secretHash: 'hash',
    jid: JULIET,
    name: 'backup',
    scopes: ['files:read', 'share'],
    createdAt: NOW,
    lastUsedAt: null,
    expiresAt: NOW + DAY,
    ...change,
  };
}

function guestLink(change: Partial<GuestLinkRecord> = {}): GuestLinkRecord {
  return {
    id: 'id',
    secretHash: 'hash',
    jid: JULIET,
    note: 'photos',
    maxBytes: 100,
    maxFiles: 2,
    usedBytes: 0,
    usedFiles: 0,
    createdAt: NOW,
    expiresAt: NOW + DAY,
    ...change,
  };
}

export function webSuite(open: OpenTestLedger): void {
  describe('sessions of the web page', () => {
    ledgerTest(open, 'are found until they expire, and by other processes', async (ledger, { openAgain }) => {
      await ledger.createSession(session());
      const other = await openAgain();
      assert.deepEqual(await other.findSession({ secretHash: 'hash', now: NOW + DAY - 1 }), session());
      await other.close();
      assert.equal(await ledger.findSession({ secretHash: 'hash', now: NOW + DAY }), undefined);
      const extended = { secretHash: 'hash', lastUsedAt: NOW + HOUR, expiresAt: NOW + 2 * DAY };
      await ledger.extendSession(extended);
      assert.deepEqual(await ledger.findSession({ secretHash: 'hash', now: NOW + DAY }), session(extended));
      await ledger.sweep({ kind: 'web_sessions', limit: 10, now: NOW + 3 * DAY });
      assert.equal(await ledger.findSession({ secretHash: 'hash', now: NOW }), undefined);
    });

    ledgerTest(open, 'end one by one, or all of an account', async (ledger) => {
      for (const secretHash of ['a', 'b', 'c']) await ledger.createSession(session({ secretHash }));
      await ledger.createSession(session({ secretHash: 'of romeo', jid: ROMEO }));
      assert.equal(await ledger.endSessions({ secretHash: 'a' }), 1);
      assert.equal((await ledger.listSessions({ jid: JULIET, now: NOW })).length, 2);
      assert.equal(await ledger.endSessions({ jid: JULIET }), 2);
      assert.equal((await ledger.listSessions({ jid: ROMEO, now: NOW })).length, 1);
    });
  });

  describe('tokens of users', () => {
    ledgerTest(open, 'are found until they expire or are revoked by their owner', async (ledger) => {
      assert.equal(await ledger.createToken({ token: token(), limit: 2 }), true);
      await ledger.createToken({ token: token({ id: 'z', secretHash: 'z', expiresAt: null }), limit: 2 });
      assert.equal(await ledger.createToken({ token: token({ id: 'y', secretHash: 'y' }), limit: 2 }), false);
      assert.deepEqual(await ledger.findToken({ secretHash: 'hash', now: NOW }), token());
      assert.equal(await ledger.findToken({ secretHash: 'hash', now: NOW + DAY }), undefined);
      await ledger.recordTokenUse({ id: 'id', now: NOW + HOUR });
      const listed = await ledger.listTokens(JULIET);
      assert.deepEqual(
        listed.map(({ id, lastUsedAt }) => [id, lastUsedAt]),
        [
          ['z', null],
          ['id', NOW + HOUR],
        ],
      );
      assert.equal(await ledger.revokeToken({ jid: ROMEO, id: 'z' }), false);
      assert.equal(await ledger.revokeToken({ jid: JULIET, id: 'z' }), true);
      assert.equal(await ledger.findToken({ secretHash: 'z', now: NOW }), undefined);
    });
  });

  describe('sign-in links', () => {
    const link = { browserHash: 'browser', codeHash: 'code', jid: JULIET, expiresAt: NOW + HOUR };

    ledgerTest(open, 'work once, in their browser, until they expire', async (ledger) => {
      await ledger.createSignInLink(link);
      const use = (change = {}) =>
        ledger.useSignInLink({ browserHash: 'browser', codeHash: 'code', now: NOW, ...change });
      assert.equal(await use({ browserHash: 'another' }), undefined);
      assert.equal(await use({ now: NOW + HOUR }), undefined);
      const results = await Promise.all([use(), use()]);
      assert.deepEqual(
        results.filter((jid) => jid !== undefined),
        [JULIET],
      );
      assert.equal(await use(), undefined);
    });

    ledgerTest(open, `end after ${MAX_CODE_ATTEMPTS} wrong codes`, async (ledger) => {
      await ledger.createSignInLink(link);
      for (let i = 0; i < MAX_CODE_ATTEMPTS; i += 1)
        await ledger.useSignInLink({ browserHash: 'browser', codeHash: 'wrong', now: NOW });
      assert.equal(await ledger.useSignInLink({ ...link, now: NOW }), undefined);
      await ledger.createSignInLink(link);
      assert.equal(await ledger.useSignInLink({ ...link, now: NOW }), JULIET, 'a new link works');
    });
  });

  describe('guest links', () => {
    ledgerTest(open, 'count files up to their limits, also of guests at once', async (ledger) => {
      await ledger.createGuestLink({ link: guestLink(), limit: 1 });
      assert.equal(
        await ledger.createGuestLink({ link: guestLink({ id: 'b', secretHash: 'b' }), limit: 1 }),
        false,
      );
      const charge = (bytes: number, now = NOW) => ledger.chargeGuestLink({ secretHash: 'hash', bytes, now });
      assert.equal(await charge(101), false);
      assert.equal(await charge(50, NOW + DAY), false);
      const charged = await Promise.all([charge(60), charge(60)]);
      assert.deepEqual(charged.toSorted(), [false, true]);
      assert.equal(await charge(40), true);
      assert.equal(await charge(0), false, 'the link has two files already');
      assert.equal(await charge(-40), true);
      const found = await ledger.findGuestLink({ secretHash: 'hash', now: NOW });
      assert.deepEqual(found, guestLink({ usedBytes: 60, usedFiles: 1 }));
    });

    ledgerTest(open, 'are listed and revoked by their owner', async (ledger) => {
      await ledger.createGuestLink({ link: guestLink({ maxBytes: null, maxFiles: null }), limit: 9 });
      assert.equal((await ledger.listGuestLinks({ jid: JULIET, now: NOW })).length, 1);
      assert.deepEqual(await ledger.listGuestLinks({ jid: ROMEO, now: NOW }), []);
      assert.equal(await ledger.revokeGuestLink({ jid: ROMEO, id: 'id' }), false);
      assert.equal(await ledger.revokeGuestLink({ jid: JULIET, id: 'id' }), true);
      assert.equal(await ledger.findGuestLink({ secretHash: 'hash', now: NOW }), undefined);
    });
  });

  describe('the audit', () => {
    const entry = (id: string, actor: string) => ({
      id,
      at: NOW,
      actor,
      address: '192.0.2.1',
      action: 'delete_files',
      subject: ROMEO,
      files: 2,
      bytes: 200,
    });

    ledgerTest(open, 'lists the latest first, and has no names of forgotten users', async (ledger) => {
      for (const id of ['a', 'b', 'c']) await ledger.recordAudit(entry(id, JULIET));
      const first = await ledger.listAudit({ limit: 2 });
      assert.deepEqual(first, [entry('c', JULIET), entry('b', JULIET)]);
      assert.deepEqual(await ledger.listAudit({ before: 'b', limit: 2 }), [entry('a', JULIET)]);
      for (const owner of [JULIET, ROMEO]) await ledger.forget({ owner, limit: 10, now: NOW });
      const [forgotten] = await ledger.listAudit({ limit: 1 });
      assert.deepEqual(forgotten, { ...entry('c', ''), address: '', subject: '' });
      await ledger.sweep({ kind: 'audit', recordedBefore: NOW, limit: 10, now: NOW });
      assert.deepEqual(await ledger.listAudit({ limit: 1 }), []);
    });

    ledgerTest(open, 'a forgotten user has no session, token or guest link any more', async (ledger) => {
      await ledger.createSession(session());
      await ledger.createToken({ token: token(), limit: 9 });
      await ledger.createGuestLink({ link: guestLink(), limit: 9 });
      await ledger.forget({ owner: JULIET, limit: 10, now: NOW });
      assert.equal(await ledger.findSession({ secretHash: 'hash', now: NOW }), undefined);
      assert.equal(await ledger.findToken({ secretHash: 'hash', now: NOW }), undefined);
      assert.equal(await ledger.findGuestLink({ secretHash: 'hash', now: NOW }), undefined);
    });
  });
}
