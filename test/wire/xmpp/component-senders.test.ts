import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import fc from 'fast-check';
import {
  ALERTS,
  chatMessage,
  expectRefusal,
  JULIET,
  StreamPeer,
  withComponentSender,
} from '../../support/component-sender.ts';
import { iq, JID, slotRequest } from '../../support/test-component.ts';
import { waitUntil } from '../../support/wait-until.ts';

const NO_BOUNCE_WAIT = { bounceWait: 0 };
const LONG_BOUNCE_WAIT = { bounceWait: 600_000 };

/** XML 1.0 §2.2. */
function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return [0x9, 0xa, 0xd].includes(code);
  return code <= 0xd7ff || (code >= 0xe000 && code !== 0xfffe && code !== 0xffff);
}

describe('a message from an address at the component', () => {
  test('counts as sent only when the server has routed back the ping behind it', async () => {
    await withComponentSender({}, async (alerts, server) => {
      let isSent = false;
      const sending = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), NO_BOUNCE_WAIT).then(() => {
        isSent = true;
      });
      const message = await server.nextStanza();
      assert.deepEqual({ ...message.attrs }, { from: ALERTS, to: JULIET, type: 'chat', id: 'm1' });
      const ping = await server.nextPing();
      assert.equal(isSent, false);
      server.send(ping);
      await sending;
    });
  });

  test('counts as sent if another program at the same component has answered the ping', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello'), NO_BOUNCE_WAIT);
      await server.nextStanza();
      const { attrs } = await server.nextPing();
      server.send(xml('iq', { ...attrs, type: 'result' }));
      await sending;
    });
  });

  test('gets an id and the sender, and keeps all other content', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const message = xml('message', { to: JULIET, from: 'eve@evil.example', xmlns: 'jabber:client' });
      message.append(xml('body', { 'xml:lang': 'de' }, 'Grüße & <Küsse>'));
      const sending = alerts.deliver(message, NO_BOUNCE_WAIT);
      const received = await server.nextStanza();
      assert.match(received.attrs.id ?? '', /./);
      assert.equal(received.attrs.from, ALERTS);
      assert.equal(received.getChild('body')?.getText(), 'Grüße & <Küsse>');
      await server.answerNextPing();
      await sending;
    });
  });

  test('shares one ping with the other messages of the same moment, in order', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const numbers = Array.from({ length: 100 }, (_, n) => String(n));
      const sending = Promise.all(numbers.map((n) => alerts.deliver(chatMessage(JULIET, n), NO_BOUNCE_WAIT)));
      const bodies: (string | undefined)[] = [];
      for (const _ of numbers) bodies.push((await server.session.nextStanza()).getChild('body')?.getText());
      assert.deepEqual(bodies, numbers);
      await server.answerNextPing();
      await sending;
    });
  });

  test('that bounces is refused with the condition and a readable reason', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT));
      server.bounce(await server.nextStanza(), 'service-unavailable', 'No such\nuser.');
      const refusal = await sending;
      assert.equal(refusal.code, 'bounced');
      assert.equal(refusal.condition, 'service-unavailable');
      assert.match(
        refusal.message,
        /^The message to juliet@montague\.tld was not delivered: .*\(No such user\)\.$/,
      );
    });
  });

  test('that bounces within the bounce wait is refused although the server took it', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT));
      const message = await server.nextStanza();
      assert.equal((await server.nextStanza()).attrs.to, 'montague.tld');
      await server.answerNextPing();
      server.bounce(message, 'recipient-unavailable', '', `${JULIET}/balcony`);
      assert.equal((await sending).condition, 'recipient-unavailable');
    });
  });

  test('is sent as soon as the server of the recipient has answered a ping behind it, with a result or an error', async () => {
    await withComponentSender({}, async (alerts, server) => {
      for (const type of ['result', 'error']) {
        const sending = alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT);
        assert.equal((await server.nextStanza()).name, 'message');
        const { attrs, children } = await server.nextStanza();
        assert.deepEqual([attrs.from, attrs.to, attrs.type], [ALERTS, 'montague.tld', 'get']);
        assert.match(String(children[0]), /^<ping xmlns="urn:xmpp:ping"/);
        server.send(xml('iq', { type, from: attrs.to, to: attrs.from, id: attrs.id }));
        await server.answerNextPing();
        await sending;
      }
    });
  });

  test('and the ping behind it are confirmed by the own server with one ping', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const deliver = (to: string) => alerts.deliver(chatMessage(to, 'hello'), LONG_BOUNCE_WAIT);
      const sending = Promise.all([deliver(JULIET), deliver('nurse@montague.tld')]);
      for (const _ of ['one', 'two']) assert.equal((await server.nextStanza()).name, 'message');
      const { attrs } = await server.nextStanza();
      await server.answerNextPing();
      server.send(xml('iq', { type: 'result', from: attrs.to, to: attrs.from, id: attrs.id }));
      await sending;
      // Another ping to the own server would arrive before this message.
      const last = alerts.deliver(chatMessage(JULIET, 'last'), NO_BOUNCE_WAIT);
      assert.equal((await server.session.nextStanza()).name, 'message');
      await server.answerNextPing();
      await last;
    });
  });

  test('that bounces before the ping behind it is answered is refused', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT));
      const message = await server.nextStanza();
      const { attrs } = await server.nextStanza();
      server.bounce(message, 'service-unavailable');
      server.send(xml('iq', { type: 'result', from: attrs.to, to: attrs.from, id: attrs.id }));
      assert.equal((await sending).code, 'bounced');
    });
  });

  test('is not affected by an error from an address other than the recipient', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), NO_BOUNCE_WAIT);
      const message = await server.nextStanza();
      server.bounce(message, 'forbidden', '', 'eve@evil.example');
      await server.answerNextPing();
      await sending;
    });
  });

  test('with an id that two recipients share gets the bounce of the right recipient', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const first = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), NO_BOUNCE_WAIT);
      const second = expectRefusal(
        alerts.deliver(chatMessage('nurse@montague.tld', 'hello', { id: 'm1' }), LONG_BOUNCE_WAIT),
      );
      await server.nextStanza();
      server.bounce(await server.nextStanza(), 'item-not-found');
      await server.answerNextPing();
      await first;
      assert.equal((await second).condition, 'item-not-found');
    });
  });

  test('never writes a character that XML forbids', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
      const invalid = fc.oneof(
        text,
        fc.constantFrom('\0', '\u0008', '\u001b[31m', '\ud800', '\udfff', '\ufffe', '\uffff'),
      );
      await fc.assert(
        fc.asyncProperty(invalid, invalid, async (body, id) => {
          const sending = alerts.deliver(chatMessage(JULIET, body, { id }), NO_BOUNCE_WAIT);
          const received = await server.nextStanza();
          const forbidden = [...received.toString()].filter(
            (character) => !isXmlCharacter(character.codePointAt(0) ?? 0),
          );
          assert.deepEqual(forbidden, []);
          await server.answerNextPing();
          await sending;
        }),
        { numRuns: 100 },
      );
    });
  });
});

describe('an address at the component', () => {
  test('gets the answer to its iq under the id that it chose', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const response = alerts.sendIq(
        xml('iq', { type: 'get', to: JULIET, id: 'mine' }, xml('query', 'a:b')),
        60_000,
      );
      const { attrs } = await server.nextStanza();
      assert.notEqual(attrs.id, 'mine');
      server.send(
        xml('iq', { type: 'result', from: JULIET, to: ALERTS, id: attrs.id }, xml('query', 'a:b', 'yes')),
      );
      const answer = await response;
      assert.equal(answer.attrs.id, 'mine');
      assert.equal(answer.getChild('query')?.getText(), 'yes');
    });
  });

  test('gets an iq error as the answer', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const response = alerts.sendIq(xml('iq', { type: 'set', to: JULIET }, xml('query', 'a:b')), 60_000);
      server.bounce(await server.nextStanza(), 'forbidden');
      assert.equal((await response).attrs.type, 'error');
    });
  });

  test('waits for an answer no longer than its timeout', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const response = expectRefusal(
        alerts.sendIq(xml('iq', { type: 'get', to: JULIET }, xml('query', 'a:b')), 50),
      );
      await server.nextStanza();
      await server.answerNextPing();
      assert.equal((await response).code, 'no_answer');
    });
  });

  test('gets the messages that belong to an answer, and the stanza handler does not', async () => {
    const others: string[] = [];
    const onStanza = (stanza: { attrs: { id?: string | undefined } }) => {
      others.push(stanza.attrs.id ?? '');
      return true;
    };
    await withComponentSender(
      {},
      async (alerts, server) => {
        const pages: string[] = [];
        const query = xml('iq', { type: 'set', to: JULIET }, xml('query', 'urn:xmpp:mam:2'));
        const response = alerts.sendIq(query, 60_000, (message) => {
          const isPage = message.getChild('result', 'urn:xmpp:mam:2') !== undefined;
          if (isPage) pages.push(message.attrs.id ?? '');
          return isPage;
        });
        const { attrs } = await server.nextStanza();
        const page = (id: string) =>
          xml('message', { from: JULIET, to: ALERTS, id }, xml('result', 'urn:xmpp:mam:2'));
        server.send(page('1'), chatMessage(ALERTS, 'hello', { id: 'other', from: JULIET }), page('2'));
        server.send(xml('iq', { type: 'result', from: JULIET, to: ALERTS, id: attrs.id }));
        await response;
        assert.deepEqual(pages, ['1', '2']);
        assert.deepEqual(others, ['other']);
      },
      { onStanza },
    );
  });

  test('must belong to a configured component', async () => {
    await withComponentSender({}, async (_alerts, _server, senders) => {
      assert.throws(() => senders.senderFor('alerts@elsewhere.example'), /not an address at a component/);
      assert.throws(() => senders.senderFor('@@'), /not an address at a component/);
      assert.equal(senders.senderFor(`Alerts@${JID.toUpperCase()}/x`).jid, `${ALERTS}/x`);
    });
  });

  test('sends while the same stream serves slot requests', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello'), NO_BOUNCE_WAIT);
      await server.nextStanza();
      const ping = await server.nextPing();
      const slot = await server.session.request(iq(slotRequest("filename='a.jpg' size='23456'")));
      assert.ok(slot.getChild('slot'));
      server.send(ping);
      await sending;
    });
  });
});

describe('a message that the server takes for too large', () => {
  test('is refused alone when the server ends the stream, and is not sent again', async () => {
    await withComponentSender({}, async (alerts, server, _senders, component) => {
      const text = 'x'.repeat(20_000);
      const small = expectRefusal(alerts.deliver(chatMessage(JULIET, 'small'), NO_BOUNCE_WAIT));
      const large = expectRefusal(alerts.deliver(chatMessage(JULIET, text), NO_BOUNCE_WAIT));
      for (let n = 0; n < 2; n += 1) await server.session.nextStanza();
      server.session.end('policy-violation');
      assert.equal((await large).code, 'message_too_large');
      assert.equal((await small).code, 'no_answer', 'it may be sent again');

      const next = new StreamPeer(await component.server.nextStream());
      await waitUntil(() => component.components.status()[0]?.up === true);
      const refusal = await expectRefusal(alerts.deliver(chatMessage(JULIET, `${text}!`), NO_BOUNCE_WAIT));
      assert.equal(refusal.code, 'message_too_large');
      assert.match(refusal.message, /has refused a message of 20\d\d\d bytes, and this one has 20\d\d\d/);
      const later = alerts.deliver(chatMessage(JULIET, 'later'), NO_BOUNCE_WAIT);
      assert.match(String(await next.nextStanza()), /later/);
      await next.answerNextPing();
      await later;
    });
  });

  test('is refused once the stream has broken twice while it was on its way', async () => {
    await withComponentSender({}, async (alerts, server, _senders, component) => {
      const message = chatMessage(JULIET, 'x'.repeat(20_000), { id: 'm1' });
      const first = expectRefusal(alerts.deliver(message, NO_BOUNCE_WAIT));
      await server.session.nextStanza();
      server.session.destroy();
      assert.equal((await first).code, 'no_answer');

      const next = await component.server.nextStream();
      await waitUntil(() => component.components.status()[0]?.up === true);
      const second = expectRefusal(alerts.deliver(message, NO_BOUNCE_WAIT));
      await next.nextStanza();
      next.destroy();
      assert.equal((await second).code, 'message_too_large');
    });
  });
});

describe('while the stream is down', () => {
  test('a message is refused at once', async () => {
    await withComponentSender({}, async (alerts, server) => {
      server.session.destroy();
      await server.session.closed;
      for (;;) {
        const refusal = await expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT));
        // A message that left before the disconnect was noticed may have been delivered.
        if (refusal.code === 'unavailable') break;
        assert.equal(refusal.code, 'no_answer');
      }
    });
  });

  test('messages and iqs that were written but not confirmed are refused with no_answer', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG_BOUNCE_WAIT));
      const response = expectRefusal(
        alerts.sendIq(xml('iq', { type: 'get', to: JULIET }, xml('query', 'a:b')), 600_000),
      );
      await server.nextStanza();
      server.session.destroy();
      assert.equal((await sending).code, 'no_answer');
      assert.equal((await response).code, 'no_answer');
    });
  });
});

describe('a slow server', () => {
  test('gets a bounded amount; the other messages wait and are refused with busy', async () => {
    await withComponentSender({ answerTimeout: 300 }, async (alerts, server) => {
      const long = 'x'.repeat(20_000);
      const codes = await Promise.all(
        [1, 2, 3, 4, 5].map((n) =>
          expectRefusal(alerts.deliver(chatMessage(JULIET, `${n} ${long}`), LONG_BOUNCE_WAIT)),
        ),
      );
      assert.deepEqual(
        codes.map(({ code }) => code),
        ['no_answer', 'no_answer', 'busy', 'busy', 'busy'],
      );
      assert.equal((await server.session.nextStanza()).getChild('body')?.getText()[0], '1');
    });
  });
});
