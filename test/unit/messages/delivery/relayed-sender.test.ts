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
      if (!handler) throw new RelayError('unavailable', 'no process leads');
      return through(await handler(through(payload)));
    },
    handle: (topic, handler) => void handlers.set(topic, handler),
  };
}

/** A sender that records its calls. `answers` overrides its methods. */
function recordingSender(answers: Partial<MessageSender>) {
  const calls: string[] = [];
  const note = async (stanza: Element) => void calls.push(stanza.toString());
  const sender: MessageSender = {
    jid: JID,
    deliver: note,
    sendStanza: note,
    sendIq: async () => xml('iq'),
    ...answers,
  };
  return { calls, sender };
}

function relayed(answers: Partial<MessageSender> = {}) {
  const relay = pipe();
  const { calls, sender } = recordingSender(answers);
  serveRelayedSenders(relay, (jid) => {
    assert.equal(jid, JID);
    return sender;
  });
  return { calls, far: createRelayedSender(relay, JID, () => 1000) };
}

const message = () => xml('message', { to: 'romeo@example.org', id: 'a' }, xml('body', {}, 'Grüße & <b>'));

describe('A sender that is relayed to the leading process', () => {
  test('sends messages unchanged', async () => {
    const { far, calls } = relayed();
    await far.deliver(message(), { bounceWait: 0, room: { nick: undefined } });
    await far.sendStanza(message());
    assert.deepEqual(calls, [message().toString(), message().toString()]);
  });

  test('returns refusals with all their members', async () => {
    const { far } = relayed({
      deliver: async () => {
        throw new Refusal('bounced', {
          text: 'No such user.',
          condition: 'item-not-found',
          retryAt: 7,
        });
      },
    });
    await assert.rejects(far.deliver(message(), { bounceWait: 0 }), {
      name: 'Refusal',
      code: 'bounced',
      message: 'No such user.',
      condition: 'item-not-found',
      retryAt: 7,
    });
  });

  test('returns answers and the messages that belong to them', async () => {
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

  test('refuses while no process leads or answers', async () => {
    const unreachable = createRelayedSender(pipe(), JID, () => 1000);
    await assert.rejects(unreachable.sendStanza(message()), { code: 'unavailable' });
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

  test('passes internal errors on', async () => {
    const { far } = relayed({
      sendStanza: async () => {
        throw new TypeError('a bug');
      },
    });
    await assert.rejects(far.sendStanza(message()), TypeError);
  });
});
