import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import type { MessageSender } from '../../../src/messages/delivery/message-sender.ts';
import {
  ALERTS,
  chatMessage,
  expectRefusal,
  occupantPresence,
  ROOM,
  reflectedMessage,
  roomMessage,
  type SenderTimeouts,
  type StreamPeer,
  withComponentSender,
} from '../../support/component-sender.ts';

const MUC = 'http://jabber.org/protocol/muc';
const JOIN = { bounceWait: 0, room: {} };
const as = (nick: string, password?: string) => ({ bounceWait: 0, room: { nick, password } });

/** Says one thing in the room, so that the speaker is inside under this name. */
async function settle(alerts: MessageSender, server: StreamPeer, nick = 'alerts'): Promise<void> {
  const saying = alerts.deliver(roomMessage('first'), as(nick));
  assert.equal((await server.nextStanza()).attrs.to, `${ROOM}/${nick}`);
  server.send(occupantPresence(nick, ALERTS, ['110']));
  server.send(reflectedMessage(await server.nextStanza(), nick));
  await saying;
}

/** As `withComponentSender`, with the speaker in the room already. */
function inside(
  work: (alerts: MessageSender, server: StreamPeer) => Promise<void>,
  times: SenderTimeouts = {},
) {
  return withComponentSender(times, async (alerts, server) => {
    await settle(alerts, server);
    await work(alerts, server);
  });
}

describe('a message to a room', () => {
  test('is written once the room is joined, without what was said before, and sent when the room sends it back', async () => {
    await withComponentSender({}, async (alerts, server) => {
      let isSent = false;
      const saying = alerts.deliver(roomMessage('hello'), as('Porter', 'sesame')).then(() => {
        isSent = true;
      });
      const join = await server.nextStanza();
      assert.equal(join.name, 'presence');
      assert.deepEqual(
        [join.attrs.from, join.attrs.to, join.attrs.type],
        [ALERTS, `${ROOM}/Porter`, undefined],
      );
      const x = join.getChild('x', MUC);
      assert.equal(x?.getChild('password')?.getText(), 'sesame');
      assert.equal(x?.getChild('history')?.attrs.maxstanzas, '0');
      server.send(occupantPresence('juliet', ALERTS, []), occupantPresence('Porter', ALERTS, ['110']));
      const message = await server.nextStanza();
      assert.equal(message.attrs.type, 'groupchat');
      await server.answerNextPing();
      assert.equal(isSent, false);
      server.send(reflectedMessage(message, 'Porter'));
      await saying;
    });
  });

  test('comes from the name before the @ where no other is given', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      const join = await server.nextStanza();
      assert.equal(join.attrs.to, `${ROOM}/alerts`);
      server.bounce(join, 'forbidden');
      assert.match((await saying).message, /banned/);
    });
  });

  test('is known again by its id, by its origin-id, or by its words', async () => {
    await inside(async (alerts, server) => {
      const noOrigin = (message: Element) =>
        message.children.filter((child) => !String(child).includes('origin-id'));
      for (const how of ['id', 'origin', 'words']) {
        const saying = alerts.deliver(roomMessage(`by ${how}`), JOIN);
        const message = await server.nextStanza();
        const back = reflectedMessage(message, 'alerts', how === 'id' ? {} : { id: 'of-the-room' });
        if (how !== 'origin') back.children = noOrigin(message);
        server.send(back);
        await saying;
      }
    });
  });

  test('is not taken for sent because somebody else says the same', async () => {
    await inside(async (alerts, server) => {
      let isSent = false;
      const saying = alerts.deliver(roomMessage('hello', 'm1'), JOIN).then(() => {
        isSent = true;
      });
      const message = await server.nextStanza();
      server.send(reflectedMessage(message, 'eve'));
      await server.answerNextPing();
      // A later question is answered only after what was said before it was heard.
      const asking = alerts.sendIq(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
      const question = await server.nextStanza();
      server.send(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: question.attrs.id }));
      await asking;
      assert.equal(isSent, false);
      server.send(reflectedMessage(message, 'alerts'));
      await saying;
    });
  });

  test('is one of many that share one coming, in their order', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const bodies = Array.from({ length: 50 }, (_, n) => `${n}`);
      const saying = Promise.all(bodies.map((body) => alerts.deliver(roomMessage(body), JOIN)));
      assert.equal((await server.nextStanza()).name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      const seen: Element[] = [];
      for (const _ of bodies) seen.push(await server.nextStanza());
      assert.deepEqual(
        seen.map((message) => message.getChild('body')?.getText()),
        bodies,
      );
      server.send(...seen.map((message) => reflectedMessage(message, 'alerts')));
      await saying;
    });
  });

  test('comes back in words where the room does not want it', async () => {
    await inside(async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      server.bounce(await server.nextStanza(), 'forbidden', 'Visitors are silent here.');
      const refusal = await saying;
      assert.equal(refusal.condition, 'forbidden');
      assert.match(refusal.message, /no voice in this room \(Visitors are silent here\)/);
    });
  });

  test('that the room never sends back has no answer', async () => {
    await withComponentSender({ answerTimeout: 200 }, async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      await server.session.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      assert.equal((await saying).code, 'no_answer');
    });
  });
});

describe('a room', () => {
  const refusals = [
    ['not-authorized', /password/],
    ['registration-required', /members/],
    ['item-not-found', /no such room/],
    ['service-unavailable', /full/],
    ['not-allowed', /no such room/],
  ] as const;
  for (const [condition, words] of refusals) {
    test(`that refuses with ${condition} refuses all that wait for it, at once`, async () => {
      await withComponentSender({}, async (alerts, server) => {
        const saying = Promise.all(
          [1, 2, 3].map((n) => expectRefusal(alerts.deliver(roomMessage(`${n}`), JOIN))),
        );
        server.bounce(await server.nextStanza(), condition, '', ROOM);
        for (const refusal of await saying) {
          assert.deepEqual([refusal.code, refusal.condition], ['bounced', condition]);
          assert.match(refusal.message, words);
        }
      });
    });
  }

  test('where the name is taken is joined under another one', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const saying = alerts.deliver(roomMessage('hello'), as('Porter'));
      server.bounce(await server.nextStanza(), 'conflict');
      assert.equal((await server.nextStanza()).attrs.to, `${ROOM}/Porter-2`);
      server.send(occupantPresence('Porter-2', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'Porter-2'));
      await saying;
      // It stays for the next message.
      const again = alerts.deliver(roomMessage('again'), as('Porter'));
      const message = await server.nextStanza();
      assert.equal(message.name, 'message');
      server.send(reflectedMessage(message, 'Porter-2'));
      await again;
    });
  });

  test('where every name is taken refuses', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      for (let n = 0; n < 5; n += 1) server.bounce(await server.nextStanza(), 'conflict');
      assert.equal((await saying).condition, 'conflict');
    });
  });

  test('that gives another name is believed', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const saying = alerts.deliver(roomMessage('hello'), JOIN);
      await server.nextStanza();
      server.send(occupantPresence('guest-7', ALERTS, ['110', '210']));
      server.send(reflectedMessage(await server.nextStanza(), 'guest-7'));
      await saying;
    });
  });

  test('that was made by our coming is left again, for nobody reads there', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      await server.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110', '201']));
      const leave = await server.nextStanza();
      assert.deepEqual([leave.name, leave.attrs.type], ['presence', 'unavailable']);
      assert.equal((await saying).condition, 'item-not-found');
    });
  });

  test('is spoken to under another name after a change of names', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(roomMessage('hello'), as('Grafana'));
      const change = await server.nextStanza();
      assert.equal(change.attrs.to, `${ROOM}/Grafana`);
      assert.equal(change.getChild('x', MUC), undefined);
      server.send(
        occupantPresence('alerts', ALERTS, ['110', '303'], 'unavailable'),
        occupantPresence('Grafana', ALERTS, ['110']),
      );
      server.send(reflectedMessage(await server.nextStanza(), 'Grafana'));
      await saying;
    });
  });

  test('that forbids another name hears it from the old one', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(roomMessage('hello'), as('Grafana'));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await saying;
    });
  });

  test('is joined again after it has put us out', async () => {
    await inside(async (alerts, server) => {
      server.send(occupantPresence('alerts', ALERTS, ['110', '307'], 'unavailable'));
      const saying = alerts.deliver(roomMessage('hello'), JOIN);
      const first = await server.nextStanza();
      // The message may have crossed the news.
      if (first.name === 'message') server.bounce(first, 'not-acceptable');
      const join = first.name === 'presence' ? first : await server.nextStanza();
      assert.equal(join.name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await saying;
    });
  });

  test('that has forgotten us is joined again, and the message is said once more', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(roomMessage('hello'), JOIN);
      server.bounce(await server.nextStanza(), 'not-acceptable');
      assert.equal((await server.nextStanza()).name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await saying;
    });
  });

  test('that forgets us time and again refuses the message', async () => {
    await inside(async (alerts, server) => {
      const saying = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      await server.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      assert.equal((await saying).condition, 'not-acceptable');
    });
  });

  test('that does not answer lets the message fail, and is joined anew for the next one', async () => {
    await withComponentSender({ answerTimeout: 200 }, async (alerts, server) => {
      assert.equal((await expectRefusal(alerts.deliver(roomMessage('hello'), JOIN))).code, 'no_answer');
      assert.equal((await server.session.nextStanza()).name, 'presence');
      assert.equal((await expectRefusal(alerts.deliver(roomMessage('hello'), JOIN))).code, 'no_answer');
    });
  });

  test('is left when nobody has said anything for a while', async () => {
    await inside(
      async (_alerts, server) => {
        const leave = await server.nextStanza();
        assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
      },
      { roomIdle: 50 },
    );
  });

  test('is left when the component goes', async () => {
    await withComponentSender({}, async (alerts, server, _speech, { components }) => {
      await settle(alerts, server);
      const [leave] = await Promise.all([server.nextStanza(), components.stop()]);
      assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
    });
  });

  test('may say what it likes: nobody is told', async () => {
    const told: string[] = [];
    const onStanza = (stanza: Element) => {
      told.push(stanza.attrs.id ?? '');
      return true;
    };
    await withComponentSender(
      {},
      async (alerts, server) => {
        await settle(alerts, server);
        server.send(
          occupantPresence('eve', ALERTS, []),
          reflectedMessage(chatMessage(ALERTS, 'hello', { type: 'groupchat', id: 'of-eve' }), 'eve', {
            to: ALERTS,
          }),
          chatMessage(ALERTS, 'hello', { from: 'eve@evil.example', id: 'direct' }),
        );
        const asking = alerts.sendIq(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
        const question = await server.nextStanza();
        server.send(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: question.attrs.id }));
        await asking;
        assert.deepEqual(told, ['direct']);
      },
      { onStanza },
    );
  });
});
