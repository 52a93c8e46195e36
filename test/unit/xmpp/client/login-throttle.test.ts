import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../src/base/errors.ts';
import { createLoginThrottle, type LoginAttempt } from '../../../../src/xmpp/client/login-throttle.ts';

const ROMEO = { account: 'romeo@example.org', address: '192.0.2.1' };
const MINUTE = 60_000;

class Wrong extends Error {}

function begin() {
  const time = { now: 1_000_000 };
  const throttle = createLoginThrottle(() => time.now);
  const wrong = async (tried: LoginAttempt) => {
    const fail = () => Promise.reject(new Wrong());
    await assert.rejects(
      throttle.attempt(tried, fail, (fault) => fault instanceof Wrong),
      Wrong,
    );
  };
  const right = (tried: LoginAttempt) =>
    throttle.attempt(
      tried,
      async () => 'in',
      () => false,
    );
  const wrongTimes = async (times: number, tried: LoginAttempt) => {
    for (let n = 0; n < times; n += 1) await wrong(tried);
  };
  return { time, throttle, wrong, right, wrongTimes };
}

/** The refusal that this tried meets; fails where it meets none. */
async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  const refusal = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(refusal instanceof Refusal, 'it was not refused');
  assert.equal(refusal.code, 'too_many_attempts');
  return refusal;
}

describe('guessing a password', () => {
  test('is stopped after five tries, and says when the next one may be', async () => {
    const { time, right, wrongTimes, throttle } = begin();
    await wrongTimes(5, ROMEO);
    assert.equal((await refusalOf(right(ROMEO))).retryAt, time.now + MINUTE);
    assert.throws(() => throttle.assertNotLocked(ROMEO), Refusal);
    time.now += MINUTE;
    assert.equal(await right(ROMEO), 'in');
  });

  test('gets one try a minute in the long run', async () => {
    const { time, wrong, right, wrongTimes } = begin();
    await wrongTimes(5, ROMEO);
    for (let minute = 0; minute < 10; minute += 1) {
      time.now += MINUTE;
      await wrong(ROMEO);
      await refusalOf(right(ROMEO));
    }
  });

  test('from many addresses at one account is stopped too', async () => {
    const { wrong, right } = begin();
    for (let n = 0; n < 20; n += 1) await wrong({ ...ROMEO, address: `192.0.2.${n}` });
    await refusalOf(right({ ...ROMEO, address: '198.51.100.1' }));
  });

  test('at many accounts from one address is stopped too', async () => {
    const { wrong, right } = begin();
    for (let n = 0; n < 30; n += 1) await wrong({ ...ROMEO, account: `user${n}@example.org` });
    await refusalOf(right({ ...ROMEO, account: 'another@example.org' }));
  });

  test('from one IPv6 network is one guesser, however many addresses it has', async () => {
    const { wrong, right } = begin();
    for (let n = 1; n <= 5; n += 1) await wrong({ ...ROMEO, address: `2001:db8:0:7::${n}` });
    await refusalOf(right({ ...ROMEO, address: '2001:DB8::7:1:2:3:4' }));
    assert.equal(await right({ ...ROMEO, address: '2001:db8:0:8::1' }), 'in');
  });

  test('counts an IPv4 address in the clothes of IPv6 as itself', async () => {
    const { right, wrongTimes } = begin();
    await wrongTimes(5, { ...ROMEO, address: '::ffff:192.0.2.1' });
    await refusalOf(right(ROMEO));
  });

  test('many times at once gets no more tries than one after the other', async () => {
    const { throttle } = begin();
    let tried = 0;
    const guess = () =>
      throttle.attempt(
        ROMEO,
        async () => {
          tried += 1;
          await new Promise((resolve) => setImmediate(resolve));
          throw new Wrong();
        },
        () => true,
      );
    await Promise.allSettled(Array.from({ length: 100 }, guess));
    assert.equal(tried, 5);
  });
});

describe('an owner of an account', () => {
  test('is not locked out by strangers who guess at it from elsewhere', async () => {
    const { wrong, right } = begin();
    await right(ROMEO);
    for (let n = 0; n < 20; n += 1) await wrong({ ...ROMEO, address: `198.51.100.${n}` });
    assert.equal(await right(ROMEO), 'in');
  });

  test('is not locked out by neighbours behind the same address', async () => {
    const { wrong, right } = begin();
    await right(ROMEO);
    for (let n = 0; n < 30; n += 1) await wrong({ ...ROMEO, account: `user${n}@example.org` });
    assert.equal(await right(ROMEO), 'in');
  });

  test('may log in as often as he likes, and with a hundred others at once', async () => {
    const { throttle } = begin();
    const logIn = (n: number) =>
      throttle.attempt(
        { ...ROMEO, account: `user${n % 10}@example.org` },
        () => new Promise<string>((resolve) => setImmediate(() => resolve('in'))),
        () => false,
      );
    const all = await Promise.all(Array.from({ length: 200 }, (_, n) => logIn(n)));
    assert.equal(all.filter((outcome) => outcome === 'in').length, 200);
  });

  test('whose server is away has guessed nothing', async () => {
    const { throttle, right } = begin();
    for (let n = 0; n < 50; n += 1) {
      await assert.rejects(
        throttle.attempt(
          ROMEO,
          () => Promise.reject(new Refusal('unavailable')),
          (fault) => fault instanceof Wrong,
        ),
      );
    }
    assert.equal(await right(ROMEO), 'in');
  });
});

describe('the memory of guesses', () => {
  test('has an end, whoever fills it', async () => {
    const { time, wrong, right, wrongTimes } = begin();
    for (let n = 0; n < 25_000; n += 1) {
      time.now += MINUTE;
      await wrong({ account: `user${n}@example.org`, address: `address ${n}` });
    }
    // What was touched last is still known.
    await wrongTimes(5, ROMEO);
    await refusalOf(right(ROMEO));
  });
});
