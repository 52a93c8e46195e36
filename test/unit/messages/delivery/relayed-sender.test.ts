import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../../../src/base/errors.ts';
import type { JsonValue } from '../../../../src/base/json.ts';
import { type Relay, RelayError, type RelayHandler } from '../../../../src/cluster/relay.ts';
import type { MessageSender } from '../../../../src/messages/delivery/message-sender.ts';
import {
  createRelayedSender,
  serveRelayedSenders,
} from '../../../../src/messages/delivery/relayed-sender.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';

const JID = 'alerts@upload.example.org';

/** Everything passes through JSON, as it does between processes. */
function pipe(): Relay {
  const handlers = new Map<string, RelayHandler>();
  const through = (value: JsonValue) => JSON.parse(JSON.stringify(value)) as JsonValue;
  return {
    async request(topic, payload) {
      const handler = handlers.get(topic);
      if (!handler) throw new RelayError('unavailable', 'nobody leads');
      return through(await handler(through(payload)));
    },
    handle: (topic, handler) => void handlers.set(topic, handler),
  };
}

/** Keeps what it is told to say; `answers` says what becomes of it. */
function speakerWith(answers: Partial<MessageSender>) {
  const said: string[] = [];
  const note = async (stanza: Element) => void said.push(stanza.toString());
  const speaker: MessageSender = {
    jid: JID,
    deliver: note,
    sendStanza: note,
    sendIq: async () => xml('iq'),
    ...answers,
  };
  return { said, speaker };
}

function relayed(answers: Partial<MessageSender> = {}) {
  const relay = pipe();
  const { said, speaker } = speakerWith(answers);
  serveRelayedSenders(relay, (jid) => {
    assert.equal(jid, JID);
    return speaker;
  });
  return { said, far: createRelayedSender(relay, JID, () => 1000) };
}

const message = () => xml('message', { to: 'romeo@example.org', id: 'a' }, xml('body', {}, 'Grüße & <b>'));

describe('speaking through the process that holds the stream', () => {
  test('brings messages there as they are', async () => {
    const { far, said } = relayed();
    await far.deliver(message(), { bounceWait: 0, room: { nick: undefined } });
    await far.sendStanza(message());
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
      sendIq: async (_iq, _ms, takes) => {
        assert.equal(takes?.(found), true);
        return parseStanza(`<iq type="result" id="1"/>`);
      },
    });
    const question = `<iq type="set" to="room@example.org"><query xmlns="urn:xmpp:mam:2" queryid="q"/></iq>`;
    const seen: string[] = [];
    const answer = await far.sendIq(parseStanza(question), 1000, (one) => seen.push(one.toString()) > 0);
    assert.equal(answer.attrs.type, 'result');
    assert.deepEqual(seen, [found.toString()]);
  });

  test('says what holds while no process has the stream, or none answers', async () => {
    const nobody = createRelayedSender(pipe(), JID, () => 1000);
    await assert.rejects(nobody.sendStanza(message()), { code: 'unavailable' });
    for (const [kind, code] of [
      ['timeout', 'no_answer'],
      ['busy', 'busy'],
    ] as const) {
      const request = async () => {
        throw new RelayError(kind, 'no');
      };
      await assert.rejects(
        createRelayedSender({ ...pipe(), request }, JID, () => 1000).sendStanza(message()),
        { code },
      );
    }
  });

  test('passes faults of ours on as faults', async () => {
    const { far } = relayed({
      sendStanza: async () => {
        throw new TypeError('a bug');
      },
    });
    await assert.rejects(far.sendStanza(message()), TypeError);
  });
});
