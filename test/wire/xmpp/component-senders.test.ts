import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import fc from 'fast-check';
import {
  ALERTS,
  chatMessage,
  expectRefusal,
  JULIET,
  withComponentSender,
} from '../../support/component-sender.ts';
import { iq, JID, slotRequest } from '../../support/test-component.ts';

const AT_ONCE = { bounceWait: 0 };
const LONG = { bounceWait: 600_000 };

/** XML 1.0 §2.2. */
function isForXml(code: number): boolean {
  if (code < 0x20) return [0x9, 0xa, 0xd].includes(code);
  return code <= 0xd7ff || (code >= 0xe000 && code !== 0xfffe && code !== 0xffff);
}

describe('a message from an address at the component', () => {
  test('is sent once the server has passed back the ping behind it, and not before', async () => {
    await withComponentSender({}, async (alerts, server) => {
      let isSent = false;
      const sending = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), AT_ONCE).then(() => {
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

  test('is sent too where another program at the same component has answered the ping', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello'), AT_ONCE);
      await server.nextStanza();
      const { attrs } = await server.nextPing();
      server.send(xml('iq', { ...attrs, type: 'result' }));
      await sending;
    });
  });

  test('gets an id where it has none, and keeps what else it has', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const message = xml('message', { to: JULIET, from: 'eve@evil.example', xmlns: 'jabber:client' });
      message.append(xml('body', { 'xml:lang': 'de' }, 'Grüße & <Küsse>'));
      const sending = alerts.deliver(message, AT_ONCE);
      const seen = await server.nextStanza();
      assert.match(seen.attrs.id ?? '', /./);
      assert.equal(seen.attrs.from, ALERTS);
      assert.equal(seen.getChild('body')?.getText(), 'Grüße & <Küsse>');
      await server.answerNextPing();
      await sending;
    });
  });

  test('is one of many that share a ping, and they arrive in their order', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const numbers = Array.from({ length: 100 }, (_, n) => String(n));
      const sending = Promise.all(numbers.map((n) => alerts.deliver(chatMessage(JULIET, n), AT_ONCE)));
      const bodies: (string | undefined)[] = [];
      for (const _ of numbers) bodies.push((await server.session.nextStanza()).getChild('body')?.getText());
      assert.deepEqual(bodies, numbers);
      await server.answerNextPing();
      await sending;
    });
  });

  test('that comes back is refused with the condition, and in words', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG));
      server.bounce(await server.nextStanza(), 'service-unavailable', 'No such\nuser.');
      const refusal = await sending;
      assert.equal(refusal.code, 'bounced');
      assert.equal(refusal.condition, 'service-unavailable');
      assert.match(refusal.message, /^The message to juliet@montague\.tld came back: .*\(No such user\)\.$/);
    });
  });

  test('that comes back after it was taken is refused too, while somebody listens', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG));
      const message = await server.nextStanza();
      await server.answerNextPing();
      server.bounce(message, 'recipient-unavailable', '', `${JULIET}/balcony`);
      assert.equal((await sending).condition, 'recipient-unavailable');
    });
  });

  test('is not brought back by anybody but its recipient', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), AT_ONCE);
      const message = await server.nextStanza();
      server.bounce(message, 'forbidden', '', 'eve@evil.example');
      await server.answerNextPing();
      await sending;
    });
  });

  test('to one of two recipients under one id comes back to the right one', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const first = alerts.deliver(chatMessage(JULIET, 'hello', { id: 'm1' }), AT_ONCE);
      const second = expectRefusal(
        alerts.deliver(chatMessage('nurse@montague.tld', 'hello', { id: 'm1' }), LONG),
      );
      await server.nextStanza();
      server.bounce(await server.nextStanza(), 'item-not-found');
      await server.answerNextPing();
      await first;
      assert.equal((await second).condition, 'item-not-found');
    });
  });

  test('never brings a character onto the stream that XML forbids', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
      const rude = fc.oneof(
        text,
        fc.constantFrom('\0', '\u0008', '\u001b[31m', '\ud800', '\udfff', '\ufffe', '\uffff'),
      );
      await fc.assert(
        fc.asyncProperty(rude, rude, async (body, id) => {
          const sending = alerts.deliver(chatMessage(JULIET, body, { id }), AT_ONCE);
          const seen = await server.nextStanza();
          const wrong = [...seen.toString()].filter((character) => !isForXml(character.codePointAt(0) ?? 0));
          assert.deepEqual(wrong, []);
          await server.answerNextPing();
          await sending;
        }),
        { numRuns: 100 },
      );
    });
  });
});

describe('an address at the component', () => {
  test('gets the answer to its question, under the id that it gave', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const asking = alerts.sendIq(
        xml('iq', { type: 'get', to: JULIET, id: 'mine' }, xml('query', 'a:b')),
        60_000,
      );
      const { attrs } = await server.nextStanza();
      assert.notEqual(attrs.id, 'mine');
      server.send(
        xml('iq', { type: 'result', from: JULIET, to: ALERTS, id: attrs.id }, xml('query', 'a:b', 'yes')),
      );
      const answer = await asking;
      assert.equal(answer.attrs.id, 'mine');
      assert.equal(answer.getChild('query')?.getText(), 'yes');
    });
  });

  test('gets an error as an answer too', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const asking = alerts.sendIq(xml('iq', { type: 'set', to: JULIET }, xml('query', 'a:b')), 60_000);
      server.bounce(await server.nextStanza(), 'forbidden');
      assert.equal((await asking).attrs.type, 'error');
    });
  });

  test('waits for an answer no longer than it says', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const asking = expectRefusal(
        alerts.sendIq(xml('iq', { type: 'get', to: JULIET }, xml('query', 'a:b')), 50),
      );
      await server.nextStanza();
      await server.answerNextPing();
      assert.equal((await asking).code, 'no_answer');
    });
  });

  test('sees the messages that belong to an answer, and nobody else does', async () => {
    const others: string[] = [];
    const onStanza = (stanza: { attrs: { id?: string | undefined } }) => {
      others.push(stanza.attrs.id ?? '');
      return true;
    };
    await withComponentSender(
      {},
      async (alerts, server) => {
        const pages: string[] = [];
        const question = xml('iq', { type: 'set', to: JULIET }, xml('query', 'urn:xmpp:mam:2'));
        const asking = alerts.sendIq(question, 60_000, (message) => {
          const isPage = message.getChild('result', 'urn:xmpp:mam:2') !== undefined;
          if (isPage) pages.push(message.attrs.id ?? '');
          return isPage;
        });
        const { attrs } = await server.nextStanza();
        const page = (id: string) =>
          xml('message', { from: JULIET, to: ALERTS, id }, xml('result', 'urn:xmpp:mam:2'));
        server.send(page('1'), chatMessage(ALERTS, 'hello', { id: 'other', from: JULIET }), page('2'));
        server.send(xml('iq', { type: 'result', from: JULIET, to: ALERTS, id: attrs.id }));
        await asking;
        assert.deepEqual(pages, ['1', '2']);
        assert.deepEqual(others, ['other']);
      },
      { onStanza },
    );
  });

  test('is at a component of ours, or there is no such speaker', async () => {
    await withComponentSender({}, async (_alerts, _server, speech) => {
      assert.throws(() => speech.senderFor('alerts@elsewhere.example'), /no address at a component/);
      assert.throws(() => speech.senderFor('@@'), /no address at a component/);
      assert.equal(speech.senderFor(`Alerts@${JID.toUpperCase()}/x`).jid, `${ALERTS}/x`);
    });
  });

  test('speaks while slots are asked for on the same stream', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = alerts.deliver(chatMessage(JULIET, 'hello'), AT_ONCE);
      await server.nextStanza();
      const ping = await server.nextPing();
      const slot = await server.session.request(iq(slotRequest("filename='a.jpg' size='23456'")));
      assert.ok(slot.getChild('slot'));
      server.send(ping);
      await sending;
    });
  });
});

describe('while the stream is down', () => {
  test('nothing is sent, and that is said at once', async () => {
    await withComponentSender({}, async (alerts, server) => {
      server.session.destroy();
      await server.session.closed;
      for (;;) {
        const refusal = await expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG));
        // What left before the end was noticed may have been taken.
        if (refusal.code === 'unavailable') break;
        assert.equal(refusal.code, 'no_answer');
      }
    });
  });

  test('what was written before, and not taken, is said to have no answer', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const sending = expectRefusal(alerts.deliver(chatMessage(JULIET, 'hello'), LONG));
      const asking = expectRefusal(
        alerts.sendIq(xml('iq', { type: 'get', to: JULIET }, xml('query', 'a:b')), 600_000),
      );
      await server.nextStanza();
      server.session.destroy();
      assert.equal((await sending).code, 'no_answer');
      assert.equal((await asking).code, 'no_answer');
    });
  });
});

describe('a server that is slow', () => {
  test('gets no more than it can take; the rest waits, and is refused as not sent', async () => {
    await withComponentSender({ answerTimeout: 300 }, async (alerts, server) => {
      const long = 'x'.repeat(20_000);
      const codes = await Promise.all(
        [1, 2, 3, 4, 5].map((n) => expectRefusal(alerts.deliver(chatMessage(JULIET, `${n} ${long}`), LONG))),
      );
      assert.deepEqual(
        codes.map(({ code }) => code),
        ['no_answer', 'no_answer', 'busy', 'busy', 'busy'],
      );
      assert.equal((await server.session.nextStanza()).getChild('body')?.getText()[0], '1');
    });
  });
});
