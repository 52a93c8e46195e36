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

/** Sends one message to the room, so that the sender has joined it under this nickname. */
async function joinRoom(alerts: MessageSender, server: StreamPeer, nick = 'alerts'): Promise<void> {
  const delivery = alerts.deliver(roomMessage('first'), as(nick));
  assert.equal((await server.nextStanza()).attrs.to, `${ROOM}/${nick}`);
  server.send(occupantPresence(nick, ALERTS, ['110']));
  server.send(reflectedMessage(await server.nextStanza(), nick));
  await delivery;
}

/** Like `withComponentSender`, with a sender that has already joined the room. */
function withJoinedSender(
  work: (alerts: MessageSender, server: StreamPeer) => Promise<void>,
  times: SenderTimeouts = {},
) {
  return withComponentSender(times, async (alerts, server) => {
    await joinRoom(alerts, server);
    await work(alerts, server);
  });
}

describe('a message to a room', () => {
  test('is written after joining without history, and counts as sent when the room reflects it', async () => {
    await withComponentSender({}, async (alerts, server) => {
      let isSent = false;
      const delivery = alerts.deliver(roomMessage('hello'), as('Porter', 'sesame')).then(() => {
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
      await delivery;
    });
  });

  test('uses the local part of the sender as the default nickname', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      const join = await server.nextStanza();
      assert.equal(join.attrs.to, `${ROOM}/alerts`);
      server.bounce(join, 'forbidden');
      assert.match((await delivery).message, /banned/);
    });
  });

  test('is recognised by its id, by its origin-id or by its body', async () => {
    await withJoinedSender(async (alerts, server) => {
      const withoutOriginId = (message: Element) =>
        message.children.filter((child) => !String(child).includes('origin-id'));
      for (const key of ['id', 'origin', 'body']) {
        const delivery = alerts.deliver(roomMessage(`by ${key}`), JOIN);
        const message = await server.nextStanza();
        const reflected = reflectedMessage(message, 'alerts', key === 'id' ? {} : { id: 'id-of-the-room' });
        if (key !== 'origin') reflected.children = withoutOriginId(message);
        server.send(reflected);
        await delivery;
      }
    });
  });

  test('does not count as sent when another occupant sends the same text', async () => {
    await withJoinedSender(async (alerts, server) => {
      let isSent = false;
      const delivery = alerts.deliver(roomMessage('hello', 'm1'), JOIN).then(() => {
        isSent = true;
      });
      const message = await server.nextStanza();
      server.send(reflectedMessage(message, 'eve'));
      await server.answerNextPing();
      // The answer to a later iq arrives after all earlier stanzas were handled.
      const response = alerts.sendIq(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
      const query = await server.nextStanza();
      server.send(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: query.attrs.id }));
      await response;
      assert.equal(isSent, false);
      server.send(reflectedMessage(message, 'alerts'));
      await delivery;
    });
  });

  test('shares one join with the other messages, in order', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const bodies = Array.from({ length: 50 }, (_, n) => `${n}`);
      const delivery = Promise.all(bodies.map((body) => alerts.deliver(roomMessage(body), JOIN)));
      assert.equal((await server.nextStanza()).name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      const received: Element[] = [];
      for (const _ of bodies) received.push(await server.nextStanza());
      assert.deepEqual(
        received.map((message) => message.getChild('body')?.getText()),
        bodies,
      );
      server.send(...received.map((message) => reflectedMessage(message, 'alerts')));
      await delivery;
    });
  });

  test('that the room rejects is refused with a readable reason', async () => {
    await withJoinedSender(async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      server.bounce(await server.nextStanza(), 'forbidden', 'Visitors are silent here.');
      const refusal = await delivery;
      assert.equal(refusal.condition, 'forbidden');
      assert.match(refusal.message, /not allowed to speak in this room \(Visitors are silent here\)/);
    });
  });

  test('that the room does not reflect is refused with no_answer', async () => {
    await withComponentSender({ answerTimeout: 200 }, async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      await server.session.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      assert.equal((await delivery).code, 'no_answer');
    });
  });
});

describe('a room', () => {
  const refusals = [
    ['not-authorized', /password/],
    ['registration-required', /members/],
    ['item-not-found', /the room does not exist/],
    ['service-unavailable', /full/],
    ['not-allowed', /may not create it/],
  ] as const;
  for (const [condition, reason] of refusals) {
    test(`that refuses the join with ${condition} refuses all waiting messages at once`, async () => {
      await withComponentSender({}, async (alerts, server) => {
        const delivery = Promise.all(
          [1, 2, 3].map((n) => expectRefusal(alerts.deliver(roomMessage(`${n}`), JOIN))),
        );
        server.bounce(await server.nextStanza(), condition, '', ROOM);
        for (const refusal of await delivery) {
          assert.deepEqual([refusal.code, refusal.condition], ['bounced', condition]);
          assert.match(refusal.message, reason);
        }
      });
    });
  }

  test('is joined under another nickname if the first one is taken', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const delivery = alerts.deliver(roomMessage('hello'), as('Porter'));
      server.bounce(await server.nextStanza(), 'conflict');
      assert.equal((await server.nextStanza()).attrs.to, `${ROOM}/Porter-2`);
      server.send(occupantPresence('Porter-2', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'Porter-2'));
      await delivery;
      // The next message uses the same occupant.
      const again = alerts.deliver(roomMessage('again'), as('Porter'));
      const message = await server.nextStanza();
      assert.equal(message.name, 'message');
      server.send(reflectedMessage(message, 'Porter-2'));
      await again;
    });
  });

  test('refuses the message if every tried nickname is taken', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      for (let n = 0; n < 5; n += 1) server.bounce(await server.nextStanza(), 'conflict');
      assert.equal((await delivery).condition, 'conflict');
    });
  });

  test('may assign another nickname', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const delivery = alerts.deliver(roomMessage('hello'), JOIN);
      await server.nextStanza();
      server.send(occupantPresence('guest-7', ALERTS, ['110', '210']));
      server.send(reflectedMessage(await server.nextStanza(), 'guest-7'));
      await delivery;
    });
  });

  test('that the join created is left again, because it has no other occupants', async () => {
    await withComponentSender({}, async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      await server.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110', '201']));
      const leave = await server.nextStanza();
      assert.deepEqual([leave.name, leave.attrs.type], ['presence', 'unavailable']);
      assert.equal((await delivery).condition, 'item-not-found');
    });
  });

  test('gets the message under the new nickname after a nickname change', async () => {
    await withJoinedSender(async (alerts, server) => {
      const delivery = alerts.deliver(roomMessage('hello'), as('Grafana'));
      const change = await server.nextStanza();
      assert.equal(change.attrs.to, `${ROOM}/Grafana`);
      assert.equal(change.getChild('x', MUC), undefined);
      server.send(
        occupantPresence('alerts', ALERTS, ['110', '303'], 'unavailable'),
        occupantPresence('Grafana', ALERTS, ['110']),
      );
      server.send(reflectedMessage(await server.nextStanza(), 'Grafana'));
      await delivery;
    });
  });

  test('gets the message under the old nickname if it forbids the change', async () => {
    await withJoinedSender(async (alerts, server) => {
      const delivery = alerts.deliver(roomMessage('hello'), as('Grafana'));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await delivery;
    });
  });

  test('is joined again after a kick', async () => {
    await withJoinedSender(async (alerts, server) => {
      server.send(occupantPresence('alerts', ALERTS, ['110', '307'], 'unavailable'));
      const delivery = alerts.deliver(roomMessage('hello'), JOIN);
      const first = await server.nextStanza();
      // The message may have been written before the kick arrived.
      if (first.name === 'message') server.bounce(first, 'not-acceptable');
      const join = first.name === 'presence' ? first : await server.nextStanza();
      assert.equal(join.name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await delivery;
    });
  });

  test('that lost its occupants is joined again, and the message is repeated', async () => {
    await withJoinedSender(async (alerts, server) => {
      const delivery = alerts.deliver(roomMessage('hello'), JOIN);
      server.bounce(await server.nextStanza(), 'not-acceptable');
      assert.equal((await server.nextStanza()).name, 'presence');
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.send(reflectedMessage(await server.nextStanza(), 'alerts'));
      await delivery;
    });
  });

  test('that loses its occupants twice refuses the message', async () => {
    await withJoinedSender(async (alerts, server) => {
      const delivery = expectRefusal(alerts.deliver(roomMessage('hello'), JOIN));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      await server.nextStanza();
      server.send(occupantPresence('alerts', ALERTS, ['110']));
      server.bounce(await server.nextStanza(), 'not-acceptable');
      assert.equal((await delivery).condition, 'not-acceptable');
    });
  });

  test('that does not answer fails the message and is joined again for the next one', async () => {
    await withComponentSender({ answerTimeout: 200 }, async (alerts, server) => {
      assert.equal((await expectRefusal(alerts.deliver(roomMessage('hello'), JOIN))).code, 'no_answer');
      assert.equal((await server.session.nextStanza()).name, 'presence');
      assert.equal((await expectRefusal(alerts.deliver(roomMessage('hello'), JOIN))).code, 'no_answer');
    });
  });

  test('is left after the idle time', async () => {
    await withJoinedSender(
      async (_alerts, server) => {
        const leave = await server.nextStanza();
        assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
      },
      { roomIdle: 50 },
    );
  });

  test('is left when the component stops', async () => {
    await withComponentSender({}, async (alerts, server, _senders, { components }) => {
      await joinRoom(alerts, server);
      const [leave] = await Promise.all([server.nextStanza(), components.stop()]);
      assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
    });
  });

  test('does not pass messages of its occupants to the stanza handler', async () => {
    const handled: string[] = [];
    const onStanza = (stanza: Element) => {
      handled.push(stanza.attrs.id ?? '');
      return true;
    };
    await withComponentSender(
      {},
      async (alerts, server) => {
        await joinRoom(alerts, server);
        server.send(
          occupantPresence('eve', ALERTS, []),
          reflectedMessage(chatMessage(ALERTS, 'hello', { type: 'groupchat', id: 'of-eve' }), 'eve', {
            to: ALERTS,
          }),
          chatMessage(ALERTS, 'hello', { from: 'eve@evil.example', id: 'direct' }),
        );
        const response = alerts.sendIq(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
        const query = await server.nextStanza();
        server.send(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: query.attrs.id }));
        await response;
        assert.deepEqual(handled, ['direct']);
      },
      { onStanza },
    );
  });
});
