import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../src/base/errors.ts';
import { createLoginThrottle, type LoginAttempt } from '../../../../src/xmpp/client/login-throttle.ts';

const ROMEO = { account: 'romeo@example.org', address: '192.0.2.1' };
const MINUTE = 60_000;

class WrongPassword extends Error {}

function createTestThrottle() {
  const time = { now: 1_000_000 };
  const throttle = createLoginThrottle(() => time.now);
  const failLogin = async (attempt: LoginAttempt) => {
    const fail = () => Promise.reject(new WrongPassword());
    await assert.rejects(
      throttle.attempt(attempt, fail, (error) => error instanceof WrongPassword),
      WrongPassword,
    );
  };
  const logIn = (attempt: LoginAttempt) =>
    throttle.attempt(
      attempt,
      async () => 'session',
      () => false,
    );
  const failTimes = async (times: number, attempt: LoginAttempt) => {
    for (let n = 0; n < times; n += 1) await failLogin(attempt);
  };
  return { time, throttle, failLogin, logIn, failTimes };
}

/** Returns the refusal with which `work` rejects. */
async function expectThrottled(work: Promise<unknown>): Promise<Refusal> {
  const refusal = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(refusal instanceof Refusal, 'it was not refused');
  assert.equal(refusal.code, 'too_many_attempts');
  return refusal;
}

describe('password guessing', () => {
  test('is stopped after five failures, with the time to retry', async () => {
    const { time, logIn, failTimes, throttle } = createTestThrottle();
    await failTimes(5, ROMEO);
    assert.equal((await expectThrottled(logIn(ROMEO))).retryAt, time.now + MINUTE);
    assert.throws(() => throttle.assertNotLocked(ROMEO), Refusal);
    time.now += MINUTE;
    assert.equal(await logIn(ROMEO), 'session');
  });

  test('gets one attempt per minute in the long run', async () => {
    const { time, failLogin, logIn, failTimes } = createTestThrottle();
    await failTimes(5, ROMEO);
    for (let minute = 0; minute < 10; minute += 1) {
      time.now += MINUTE;
      await failLogin(ROMEO);
      await expectThrottled(logIn(ROMEO));
    }
  });

  test('is stopped if many addresses try one account', async () => {
    const { failLogin, logIn } = createTestThrottle();
    for (let n = 0; n < 20; n += 1) await failLogin({ ...ROMEO, address: `192.0.2.${n}` });
    await expectThrottled(logIn({ ...ROMEO, address: '198.51.100.1' }));
  });

  test('is stopped if one address tries many accounts', async () => {
    const { failLogin, logIn } = createTestThrottle();
    for (let n = 0; n < 30; n += 1) await failLogin({ ...ROMEO, account: `user${n}@example.org` });
    await expectThrottled(logIn({ ...ROMEO, account: 'another@example.org' }));
  });

  test('is counted for the whole /64 network of an IPv6 address', async () => {
    const { failLogin, logIn } = createTestThrottle();
    for (let n = 1; n <= 5; n += 1) await failLogin({ ...ROMEO, address: `2001:db8:0:7::${n}` });
    await expectThrottled(logIn({ ...ROMEO, address: '2001:DB8::7:1:2:3:4' }));
    assert.equal(await logIn({ ...ROMEO, address: '2001:db8:0:8::1' }), 'session');
  });

  test('counts an IPv4-mapped IPv6 address as the IPv4 address', async () => {
    const { logIn, failTimes } = createTestThrottle();
    await failTimes(5, { ...ROMEO, address: '::ffff:192.0.2.1' });
    await expectThrottled(logIn(ROMEO));
  });

  test('gets no more attempts in parallel than in sequence', async () => {
    const { throttle } = createTestThrottle();
    let attempts = 0;
    const guess = () =>
      throttle.attempt(
        ROMEO,
        async () => {
          attempts += 1;
          await new Promise((resolve) => setImmediate(resolve));
          throw new WrongPassword();
        },
        () => true,
      );
    await Promise.allSettled(Array.from({ length: 100 }, guess));
    assert.equal(attempts, 5);
  });
});

describe('the owner of an account', () => {
  test('is not locked out by guesses from other addresses', async () => {
    const { failLogin, logIn } = createTestThrottle();
    await logIn(ROMEO);
    for (let n = 0; n < 20; n += 1) await failLogin({ ...ROMEO, address: `198.51.100.${n}` });
    assert.equal(await logIn(ROMEO), 'session');
  });

  test('is not locked out by guesses at other accounts from the same address', async () => {
    const { failLogin, logIn } = createTestThrottle();
    await logIn(ROMEO);
    for (let n = 0; n < 30; n += 1) await failLogin({ ...ROMEO, account: `user${n}@example.org` });
    assert.equal(await logIn(ROMEO), 'session');
  });

  test('may log in any number of times, in parallel with others', async () => {
    const { throttle } = createTestThrottle();
    const logInAs = (n: number) =>
      throttle.attempt(
        { ...ROMEO, account: `user${n % 10}@example.org` },
        () => new Promise<string>((resolve) => setImmediate(() => resolve('session'))),
        () => false,
      );
    const all = await Promise.all(Array.from({ length: 200 }, (_, n) => logInAs(n)));
    assert.equal(all.filter((outcome) => outcome === 'session').length, 200);
  });

  test('is not counted as guessing while the server is unavailable', async () => {
    const { throttle, logIn } = createTestThrottle();
    for (let n = 0; n < 50; n += 1) {
      await assert.rejects(
        throttle.attempt(
          ROMEO,
          () => Promise.reject(new Refusal('unavailable')),
          (error) => error instanceof WrongPassword,
        ),
      );
    }
    assert.equal(await logIn(ROMEO), 'session');
  });
});

describe('the counters of failures', () => {
  test('are bounded and keep the most recent keys', async () => {
    const { time, failLogin, logIn, failTimes } = createTestThrottle();
    for (let n = 0; n < 25_000; n += 1) {
      time.now += MINUTE;
      await failLogin({ account: `user${n}@example.org`, address: `address ${n}` });
    }
    // A recent key is still counted.
    await failTimes(5, ROMEO);
    await expectThrottled(logIn(ROMEO));
  });
});
