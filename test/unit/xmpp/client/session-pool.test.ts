import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { Refusal } from '../../../../src/base/errors.ts';
import { createPasswordMatcher } from '../../../../src/xmpp/client/password-matcher.ts';
import type { AccountSession } from '../../../../src/xmpp/client/session.ts';
import { createSessionPool } from '../../../../src/xmpp/client/session-pool.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A session that nobody has logged in to; what it is asked to send waits for the test. */
function fakeSession(jid: string) {
  const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
  const sending = Promise.withResolvers<void>();
  let isOpen = true;
  const session: AccountSession = {
    sender: {
      jid,
      deliver: () => sending.promise,
      sendStanza: () => sending.promise,
      sendIq: async () => xml('iq'),
    },
    get isOpen() {
      return isOpen;
    },
    joinedRooms: 0,
    ended,
    isAlive: async () => isOpen,
    async close() {
      isOpen = false;
      end(undefined);
    },
  };
  return { session, finish: sending.resolve };
}

const MESSAGE = xml('message');

describe('the pool of sessions', () => {
  test('gives a session to the password that opened it, and to no other', async () => {
    const pool = createSessionPool(() => ({ max: 5, idle: 60_000, acquireTimeoutMs: 1_000 }));
    await pool.add('romeo/', 'secret', async () => fakeSession('romeo@x/1').session);
    assert.equal((await pool.find('romeo/', 'secret'))?.jid, 'romeo@x/1');
    for (const wrong of ['', 'secret ', 'Secret', 'secre']) {
      assert.equal(await pool.find('romeo/', wrong), undefined, wrong);
    }
    assert.equal(await pool.find('juliet/', 'secret'), undefined);
    await pool.close();
  });

  test('ends the session that was replaced when its last word is out', async () => {
    const pool = createSessionPool(() => ({ max: 5, idle: 60_000, acquireTimeoutMs: 1_000 }));
    const old = fakeSession('romeo@x/1');
    const speaker = await pool.add('romeo/', 'old', async () => old.session);
    const sending = speaker.sendStanza(MESSAGE);
    await pool.add('romeo/', 'new', async () => fakeSession('romeo@x/2').session);
    assert.equal(await pool.find('romeo/', 'old'), undefined);
    assert.equal(old.session.isOpen, true);
    old.finish();
    await sending;
    assert.equal(old.session.isOpen, false);
    await pool.close();
  });

  test('closes no session in the middle of its work: the next one waits, and is refused in the end', async () => {
    const pool = createSessionPool(() => ({ max: 1, idle: 60_000, acquireTimeoutMs: 200 }));
    const busy = fakeSession('romeo@x/1');
    const sending = (await pool.add('romeo/', 'secret', async () => busy.session)).sendStanza(MESSAGE);
    const late = pool.add('juliet/', 'secret', async () => fakeSession('juliet@x/1').session);
    await assert.rejects(late, (error) => error instanceof Refusal && error.code === 'busy');
    assert.equal(busy.session.isOpen, true);
    busy.finish();
    await sending;
    await pool.close();
  });

  test('makes room by closing the one that was unused for longest', async () => {
    const pool = createSessionPool(() => ({ max: 2, idle: 60_000, acquireTimeoutMs: 30_000 }));
    const [first, second] = [fakeSession('romeo@x/1'), fakeSession('juliet@x/1')];
    await pool.add('romeo/', 'secret', async () => first.session);
    await pool.add('juliet/', 'secret', async () => second.session);
    await pool.find('romeo/', 'secret');
    await pool.add('nurse/', 'secret', async () => fakeSession('nurse@x/1').session);
    assert.deepEqual([first.session.isOpen, second.session.isOpen], [true, false]);
    assert.equal(pool.size, 2);
    await pool.close();
  });

  test('gives the place of a failed login back', async () => {
    const pool = createSessionPool(() => ({ max: 1, idle: 60_000, acquireTimeoutMs: 1_000 }));
    await assert.rejects(pool.add('romeo/', 'x', () => Promise.reject(new Error('no'))));
    await pool.add('romeo/', 'secret', async () => fakeSession('romeo@x/1').session);
    await pool.close();
    await waitUntil(() => pool.size === 0);
  });
});

describe('what is kept of a password', () => {
  test('opens for it and for nothing else', () => {
    const lock = createPasswordMatcher('secret');
    assert.ok(lock('secret'));
    assert.ok(!lock('secreT'));
    assert.ok(createPasswordMatcher('pässwörd 🌹')('pässwörd 🌹'));
  });
});
