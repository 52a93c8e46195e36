import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../../src/base/errors.ts';
import { type Json, type Relay, RelayFault, type RelayHandler } from '../../../src/base/relay.ts';
import { relayedSpeaker, serveSpeakers } from '../../../src/messages/relayed.ts';
import type { Speaker } from '../../../src/messages/speaker.ts';
import { parseStanza } from '../../../src/messages/xml.ts';

const JID = 'alerts@upload.example.org';

/** Everything passes through JSON, as it does between processes. */
function pipe(): Relay {
  const handlers = new Map<string, RelayHandler>();
  const through = (value: Json) => JSON.parse(JSON.stringify(value)) as Json;
  return {
    async ask(topic, payload) {
      const handler = handlers.get(topic);
      if (!handler) throw new RelayFault('unavailable', 'nobody leads');
      return through(await handler(through(payload)));
    },
    serve: (topic, handler) => void handlers.set(topic, handler),
  };
}

/** Keeps what it is told to say; `answers` says what becomes of it. */
function speakerWith(answers: Partial<Speaker>) {
  const said: string[] = [];
  const note = async (stanza: Element) => void said.push(stanza.toString());
  const speaker: Speaker = { jid: JID, deliver: note, send: note, ask: async () => xml('iq'), ...answers };
  return { said, speaker };
}

function relayed(answers: Partial<Speaker> = {}) {
  const relay = pipe();
  const { said, speaker } = speakerWith(answers);
  serveSpeakers(relay, (jid) => {
    assert.equal(jid, JID);
    return speaker;
  });
  return { said, far: relayedSpeaker(relay, JID, () => 1000) };
}

const message = () => xml('message', { to: 'romeo@example.org', id: 'a' }, xml('body', {}, 'Grüße & <b>'));

describe('speaking through the process that holds the stream', () => {
  test('brings messages there as they are', async () => {
    const { far, said } = relayed();
    await far.deliver(message(), { bounceWait: 0, room: { nick: undefined } });
    await far.send(message());
    assert.deepEqual(said, [message().toString(), message().toString()]);
  });

  test('brings refusals back with all that they say', async () => {
    const { far } = relayed({
      deliver: async () => {
        throw new Refusal('bounced', {
          text: 'Nobody of this name.',
          condition: 'item-not-found',
          retryAt: 7,
        });
      },
    });
    await assert.rejects(far.deliver(message(), { bounceWait: 0 }), {
      name: 'Refusal',
      code: 'bounced',
      message: 'Nobody of this name.',
      condition: 'item-not-found',
      retryAt: 7,
    });
  });

  test('brings answers back, and the messages that belong to them', async () => {
    const found = parseStanza(
      `<message from="room@example.org"><result xmlns="urn:xmpp:mam:2" queryid="q"/></message>`,
    );
    const { far } = relayed({
      ask: async (_iq, _ms, takes) => {
        assert.equal(takes?.(found), true);
        return parseStanza(`<iq type="result" id="1"/>`);
      },
    });
    const question = `<iq type="set" to="room@example.org"><query xmlns="urn:xmpp:mam:2" queryid="q"/></iq>`;
    const seen: string[] = [];
    const answer = await far.ask(parseStanza(question), 1000, (one) => seen.push(one.toString()) > 0);
    assert.equal(answer.attrs.type, 'result');
    assert.deepEqual(seen, [found.toString()]);
  });

  test('says what holds while no process has the stream, or none answers', async () => {
    const nobody = relayedSpeaker(pipe(), JID, () => 1000);
    await assert.rejects(nobody.send(message()), { code: 'unavailable' });
    for (const [kind, code] of [
      ['late', 'no_answer'],
      ['busy', 'busy'],
    ] as const) {
      const ask = async () => {
        throw new RelayFault(kind, 'no');
      };
      await assert.rejects(relayedSpeaker({ ...pipe(), ask }, JID, () => 1000).send(message()), { code });
    }
  });

  test('passes faults of ours on as faults', async () => {
    const { far } = relayed({
      send: async () => {
        throw new TypeError('a bug');
      },
    });
    await assert.rejects(far.send(message()), TypeError);
  });
});
