import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Refusal } from '../../../../src/base/errors.ts';
import { createStanzaChannel } from '../../../../src/messages/delivery/stanza-channel.ts';

/** A channel on a stream with acks; `outcomes` has what became of each stanza, in the order of the outcomes. */
function start() {
  const written: string[] = [];
  const outcomes: string[] = [];
  const channel = createStanzaChannel(
    {
      write: (text) => void written.push(text),
      formatRequest: () => '<r/>',
      onRequestTimeout: () => assert.fail('no request is left unanswered'),
    },
    () => 60_000,
  );
  const send = (stanza: string) =>
    void channel.send(stanza).then(
      () => outcomes.push(`${stanza} taken`),
      ({ code }: Refusal) => outcomes.push(`${stanza} ${code}`),
    );
  return { channel, written, outcomes, send };
}

describe('A stream whose server confirms by acks (XEP-0198)', () => {
  test('asks once for all stanzas of a turn, and the ack confirms as many as it counts', async () => {
    const { channel, written, outcomes, send } = start();
    for (const name of ['a', 'b', 'c']) send(name);
    await nextTurn();
    assert.deepEqual(written, ['a', 'b', 'c', '<r/>']);
    assert.equal(channel.handleAck(2), true);
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b taken']);
    assert.equal(channel.handleAck(3), true);
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b taken', 'c taken']);
  });

  test('asks again for stanzas that were written behind its request', async () => {
    const { channel, written, outcomes, send } = start();
    send('a');
    await nextTurn();
    send('b');
    await nextTurn();
    assert.deepEqual(written, ['a', '<r/>', 'b']);
    channel.handleAck(1);
    await nextTurn();
    assert.deepEqual([written.at(-1), outcomes], ['<r/>', ['a taken']]);
    channel.handleAck(2);
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b taken']);
  });

  test('takes an ack that it did not ask for', async () => {
    const { channel, written, outcomes, send } = start();
    send('a');
    assert.equal(channel.handleAck(1), true);
    await nextTurn();
    assert.deepEqual([written, outcomes], [['a'], ['a taken']]);
    send('b');
    await nextTurn();
    channel.handleAck(2);
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b taken']);
  });

  test('refuses an ack for stanzas that were not sent, one below an earlier ack, and one without a number', async () => {
    const { channel, outcomes, send } = start();
    for (const name of ['a', 'b']) send(name);
    await nextTurn();
    assert.equal(channel.handleAck(3), false);
    assert.equal(channel.handleAck(Number.NaN), false);
    assert.equal(channel.handleAck(1), true);
    assert.equal(channel.handleAck(0), false);
    channel.handleDisconnect();
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b no_answer']);
  });

  test('that breaks leaves the outcome open of those stanzas only that no ack has confirmed', async () => {
    const { channel, outcomes, send } = start();
    for (const name of ['a', 'b', 'c']) send(name);
    await nextTurn();
    channel.handleAck(2);
    channel.handleDisconnect();
    await nextTurn();
    assert.deepEqual(outcomes, ['a taken', 'b taken', 'c no_answer']);
  });

  test('that the server ends because of a large stanza refuses the largest one that it has not confirmed', async () => {
    const { channel, outcomes, send } = start();
    const [large, larger] = ['l'.repeat(20_000), 'm'.repeat(25_000)];
    for (const stanza of [larger, 'a', large, 'b']) send(stanza);
    await nextTurn();
    channel.handleAck(2);
    channel.handleDisconnect({ condition: 'policy-violation' });
    await nextTurn();
    assert.deepEqual(outcomes, [`${larger} taken`, 'a taken', `${large} message_too_large`, 'b no_answer']);
  });
});
