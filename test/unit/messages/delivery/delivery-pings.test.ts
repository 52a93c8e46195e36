import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  createDeliveryPings,
  createSilentDomains,
  type DeliveryPings,
} from '../../../../src/messages/delivery/delivery-pings.ts';

interface SentPing {
  readonly domain: string;
  readonly answer: (isAnswered: boolean) => Promise<void>;
  readonly fail: () => Promise<void>;
}

/** Records the pings; the test answers them. */
function start(): { pings: DeliveryPings; sent: SentPing[] } {
  const sent: SentPing[] = [];
  const ping = (domain: string): Promise<boolean> => {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const settle = async (act: () => void) => {
      act();
      await nextTurn();
    };
    sent.push({
      domain,
      answer: (isAnswered) => settle(() => resolve(isAnswered)),
      fail: () => settle(() => reject(new Error('the stream is down'))),
    });
    return promise;
  };
  return { pings: createDeliveryPings({ ping, silentDomains: createSilentDomains() }), sent };
}

/** Starts waiting for the domain. */
function watch(pings: DeliveryPings, domain: string): { isAnswered: boolean } {
  const state = { isAnswered: false };
  void pings.answered(domain).then(() => {
    state.isAnswered = true;
  });
  return state;
}

describe('The pings behind messages', () => {
  test('confirm all messages to a domain that were written before them, with one ping', async () => {
    const { pings, sent } = start();
    const messages = ['a.example', 'a.example', 'b.example'].map((domain) => watch(pings, domain));
    await nextTurn();
    assert.deepEqual(
      sent.map(({ domain }) => domain),
      ['a.example', 'b.example'],
    );
    await sent[0]?.answer(true);
    assert.deepEqual(
      messages.map(({ isAnswered }) => isAnswered),
      [true, true, false],
    );
  });

  test('do not confirm a message that was written after them: another ping does', async () => {
    const { pings, sent } = start();
    watch(pings, 'a.example');
    await nextTurn();
    const later = watch(pings, 'a.example');
    await nextTurn();
    assert.equal(sent.length, 1, 'one ping to a domain at a time');
    await sent[0]?.answer(true);
    assert.equal(later.isAnswered, false);
    await nextTurn();
    assert.equal(sent.length, 2);
    await sent[1]?.answer(true);
    assert.equal(later.isAnswered, true);
  });

  test('are not sent again to a domain that has left one unanswered, and its messages stay unconfirmed', async () => {
    const { pings, sent } = start();
    const first = watch(pings, 'silent.example');
    await nextTurn();
    await sent[0]?.answer(false);
    const second = watch(pings, 'silent.example');
    await nextTurn();
    assert.equal(sent.length, 1);
    assert.deepEqual([first.isAnswered, second.isAnswered], [false, false]);
    watch(pings, 'other.example');
    await nextTurn();
    assert.equal(sent.length, 2, 'other domains are not affected');
  });

  test('are tried again after the stream failed, because that says nothing about the domain', async () => {
    const { pings, sent } = start();
    const lost = watch(pings, 'a.example');
    await nextTurn();
    await sent[0]?.fail();
    const next = watch(pings, 'a.example');
    await nextTurn();
    await sent[1]?.answer(true);
    assert.deepEqual([lost.isAnswered, next.isAnswered], [false, true]);
  });
});
