import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { Refusal } from '../../../../src/base/errors.ts';
import { createPasswordMatcher } from '../../../../src/xmpp/client/password-matcher.ts';
import type { AccountSession } from '../../../../src/xmpp/client/session.ts';
import { SessionPool } from '../../../../src/xmpp/client/session-pool.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A session without a server. Its operations wait until the test calls `finish`. */
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

describe('the session pool', () => {
  test('shares a session only with the password that opened it', async () => {
    const pool = new SessionPool(() => ({ max: 5, idle: 60_000, acquireTimeoutMs: 1_000 }));
    await pool.add('romeo/', 'secret', async () => fakeSession('romeo@x/1').session);
    assert.equal((await pool.find('romeo/', 'secret'))?.jid, 'romeo@x/1');
    for (const wrong of ['', 'secret ', 'Secret', 'secre']) {
      assert.equal(await pool.find('romeo/', wrong), undefined, wrong);
    }
    assert.equal(await pool.find('juliet/', 'secret'), undefined);
    await pool.close();
  });

  test('closes a replaced session after its last operation', async () => {
    const pool = new SessionPool(() => ({ max: 5, idle: 60_000, acquireTimeoutMs: 1_000 }));
    const old = fakeSession('romeo@x/1');
    const sender = await pool.add('romeo/', 'old', async () => old.session);
    const sending = sender.sendStanza(MESSAGE);
    await pool.add('romeo/', 'new', async () => fakeSession('romeo@x/2').session);
    assert.equal(await pool.find('romeo/', 'old'), undefined);
    assert.equal(old.session.isOpen, true);
    old.finish();
    await sending;
    assert.equal(old.session.isOpen, false);
    await pool.close();
  });

  test('never closes a session in use: further logins wait and are refused with busy', async () => {
    const pool = new SessionPool(() => ({ max: 1, idle: 60_000, acquireTimeoutMs: 200 }));
    const busy = fakeSession('romeo@x/1');
    const sending = (await pool.add('romeo/', 'secret', async () => busy.session)).sendStanza(MESSAGE);
    const late = pool.add('juliet/', 'secret', async () => fakeSession('juliet@x/1').session);
    await assert.rejects(late, (error) => error instanceof Refusal && error.code === 'busy');
    assert.equal(busy.session.isOpen, true);
    busy.finish();
    await sending;
    await pool.close();
  });

  test('closes the session that was unused for longest if it is full', async () => {
    const pool = new SessionPool(() => ({ max: 2, idle: 60_000, acquireTimeoutMs: 30_000 }));
    const [first, second] = [fakeSession('romeo@x/1'), fakeSession('juliet@x/1')];
    await pool.add('romeo/', 'secret', async () => first.session);
    await pool.add('juliet/', 'secret', async () => second.session);
    await pool.find('romeo/', 'secret');
    await pool.add('nurse/', 'secret', async () => fakeSession('nurse@x/1').session);
    assert.deepEqual([first.session.isOpen, second.session.isOpen], [true, false]);
    assert.equal(pool.size, 2);
    await pool.close();
  });

  test('asks the server again after an hour, also for a session that is always in use', async (t) => {
    let now = 0;
    t.mock.method(performance, 'now', () => now);
    const pool = new SessionPool(() => ({ max: 5, idle: 600_000, acquireTimeoutMs: 1_000 }));
    const busy = fakeSession('romeo@x/1');
    const sending = (await pool.add('romeo/', 'secret', async () => busy.session)).sendStanza(MESSAGE);
    for (; now < 3_600_000; now += 60_000) assert.ok(await pool.find('romeo/', 'secret'));
    now = 3_600_001;
    assert.equal(await pool.find('romeo/', 'secret'), undefined, 'the password may have changed since');
    assert.equal(busy.session.isOpen, true, 'its operation still runs');
    busy.finish();
    await sending;
    assert.equal(busy.session.isOpen, false);
    await pool.close();
  });

  test('frees the capacity of a failed login', async () => {
    const pool = new SessionPool(() => ({ max: 1, idle: 60_000, acquireTimeoutMs: 1_000 }));
    await assert.rejects(pool.add('romeo/', 'x', () => Promise.reject(new Error('no'))));
    await pool.add('romeo/', 'secret', async () => fakeSession('romeo@x/1').session);
    await pool.close();
    await waitUntil(() => pool.size === 0);
  });
});

describe('a password matcher', () => {
  test('accepts exactly its password', () => {
    const matches = createPasswordMatcher('secret');
    assert.ok(matches('secret'));
    assert.ok(!matches('secreT'));
    assert.ok(createPasswordMatcher('pässwörd 🌹')('pässwörd 🌹'));
  });
});
