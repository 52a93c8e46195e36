import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import type { Speaker } from '../../src/messages/speaker.ts';
import {
  ALERTS,
  letter,
  occupant,
  ROOM,
  reflection,
  refused,
  type SpeechServer,
  type Times,
  toRoom,
  withSpeech,
} from '../support/speech.ts';

const MUC = 'http://jabber.org/protocol/muc';
const JOIN = { bounceWait: 0, room: {} };
const as = (nick: string, password?: string) => ({ bounceWait: 0, room: { nick, password } });

/** Says one thing in the room, so that the speaker is inside under this name. */
async function settle(alerts: Speaker, server: SpeechServer, nick = 'alerts'): Promise<void> {
  const saying = alerts.deliver(toRoom('first'), as(nick));
  assert.equal((await server.next()).attrs.to, `${ROOM}/${nick}`);
  server.say(occupant(nick, ALERTS, ['110']));
  server.say(reflection(await server.next(), nick));
  await saying;
}

/** As `withSpeech`, with the speaker in the room already. */
function inside(work: (alerts: Speaker, server: SpeechServer) => Promise<void>, times: Times = {}) {
  return withSpeech(times, async (alerts, server) => {
    await settle(alerts, server);
    await work(alerts, server);
  });
}

describe('a message to a room', () => {
  test('is written once the room is joined, without what was said before, and sent when the room sends it back', async () => {
    await withSpeech({}, async (alerts, server) => {
      let isSent = false;
      const saying = alerts.deliver(toRoom('hello'), as('Porter', 'sesame')).then(() => {
        isSent = true;
      });
      const join = await server.next();
      assert.equal(join.name, 'presence');
      assert.deepEqual(
        [join.attrs.from, join.attrs.to, join.attrs.type],
        [ALERTS, `${ROOM}/Porter`, undefined],
      );
      const x = join.getChild('x', MUC);
      assert.equal(x?.getChild('password')?.getText(), 'sesame');
      assert.equal(x?.getChild('history')?.attrs.maxstanzas, '0');
      server.say(occupant('juliet', ALERTS, []), occupant('Porter', ALERTS, ['110']));
      const message = await server.next();
      assert.equal(message.attrs.type, 'groupchat');
      await server.takeAll();
      assert.equal(isSent, false);
      server.say(reflection(message, 'Porter'));
      await saying;
    });
  });

  test('comes from the name before the @ where no other is given', async () => {
    await withSpeech({}, async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      const join = await server.next();
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
        const saying = alerts.deliver(toRoom(`by ${how}`), JOIN);
        const message = await server.next();
        const back = reflection(message, 'alerts', how === 'id' ? {} : { id: 'of-the-room' });
        if (how !== 'origin') back.children = noOrigin(message);
        server.say(back);
        await saying;
      }
    });
  });

  test('is not taken for sent because somebody else says the same', async () => {
    await inside(async (alerts, server) => {
      let isSent = false;
      const saying = alerts.deliver(toRoom('hello', 'm1'), JOIN).then(() => {
        isSent = true;
      });
      const message = await server.next();
      server.say(reflection(message, 'eve'));
      await server.takeAll();
      // A later question is answered only after what was said before it was heard.
      const asking = alerts.ask(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
      const question = await server.next();
      server.say(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: question.attrs.id }));
      await asking;
      assert.equal(isSent, false);
      server.say(reflection(message, 'alerts'));
      await saying;
    });
  });

  test('is one of many that share one coming, in their order', async () => {
    await withSpeech({}, async (alerts, server) => {
      const bodies = Array.from({ length: 50 }, (_, n) => `${n}`);
      const saying = Promise.all(bodies.map((body) => alerts.deliver(toRoom(body), JOIN)));
      assert.equal((await server.next()).name, 'presence');
      server.say(occupant('alerts', ALERTS, ['110']));
      const seen: Element[] = [];
      for (const _ of bodies) seen.push(await server.next());
      assert.deepEqual(
        seen.map((message) => message.getChild('body')?.getText()),
        bodies,
      );
      server.say(...seen.map((message) => reflection(message, 'alerts')));
      await saying;
    });
  });

  test('comes back in words where the room does not want it', async () => {
    await inside(async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      server.bounce(await server.next(), 'forbidden', 'Visitors are silent here.');
      const refusal = await saying;
      assert.equal(refusal.condition, 'forbidden');
      assert.match(refusal.message, /no voice in this room \(Visitors are silent here\)/);
    });
  });

  test('that the room never sends back has no answer', async () => {
    await withSpeech({ answerTimeout: 200 }, async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      await server.session.next();
      server.say(occupant('alerts', ALERTS, ['110']));
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
      await withSpeech({}, async (alerts, server) => {
        const saying = Promise.all([1, 2, 3].map((n) => refused(alerts.deliver(toRoom(`${n}`), JOIN))));
        server.bounce(await server.next(), condition, '', ROOM);
        for (const refusal of await saying) {
          assert.deepEqual([refusal.code, refusal.condition], ['bounced', condition]);
          assert.match(refusal.message, words);
        }
      });
    });
  }

  test('where the name is taken is joined under another one', async () => {
    await withSpeech({}, async (alerts, server) => {
      const saying = alerts.deliver(toRoom('hello'), as('Porter'));
      server.bounce(await server.next(), 'conflict');
      assert.equal((await server.next()).attrs.to, `${ROOM}/Porter-2`);
      server.say(occupant('Porter-2', ALERTS, ['110']));
      server.say(reflection(await server.next(), 'Porter-2'));
      await saying;
      // It stays for the next message.
      const again = alerts.deliver(toRoom('again'), as('Porter'));
      const message = await server.next();
      assert.equal(message.name, 'message');
      server.say(reflection(message, 'Porter-2'));
      await again;
    });
  });

  test('where every name is taken refuses', async () => {
    await withSpeech({}, async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      for (let n = 0; n < 5; n += 1) server.bounce(await server.next(), 'conflict');
      assert.equal((await saying).condition, 'conflict');
    });
  });

  test('that gives another name is believed', async () => {
    await withSpeech({}, async (alerts, server) => {
      const saying = alerts.deliver(toRoom('hello'), JOIN);
      await server.next();
      server.say(occupant('guest-7', ALERTS, ['110', '210']));
      server.say(reflection(await server.next(), 'guest-7'));
      await saying;
    });
  });

  test('that was made by our coming is left again, for nobody reads there', async () => {
    await withSpeech({}, async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      await server.next();
      server.say(occupant('alerts', ALERTS, ['110', '201']));
      const leave = await server.next();
      assert.deepEqual([leave.name, leave.attrs.type], ['presence', 'unavailable']);
      assert.equal((await saying).condition, 'item-not-found');
    });
  });

  test('is spoken to under another name after a change of names', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(toRoom('hello'), as('Grafana'));
      const change = await server.next();
      assert.equal(change.attrs.to, `${ROOM}/Grafana`);
      assert.equal(change.getChild('x', MUC), undefined);
      server.say(
        occupant('alerts', ALERTS, ['110', '303'], 'unavailable'),
        occupant('Grafana', ALERTS, ['110']),
      );
      server.say(reflection(await server.next(), 'Grafana'));
      await saying;
    });
  });

  test('that forbids another name hears it from the old one', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(toRoom('hello'), as('Grafana'));
      server.bounce(await server.next(), 'not-acceptable');
      server.say(reflection(await server.next(), 'alerts'));
      await saying;
    });
  });

  test('is joined again after it has put us out', async () => {
    await inside(async (alerts, server) => {
      server.say(occupant('alerts', ALERTS, ['110', '307'], 'unavailable'));
      const saying = alerts.deliver(toRoom('hello'), JOIN);
      const first = await server.next();
      // The message may have crossed the news.
      if (first.name === 'message') server.bounce(first, 'not-acceptable');
      const join = first.name === 'presence' ? first : await server.next();
      assert.equal(join.name, 'presence');
      server.say(occupant('alerts', ALERTS, ['110']));
      server.say(reflection(await server.next(), 'alerts'));
      await saying;
    });
  });

  test('that has forgotten us is joined again, and the message is said once more', async () => {
    await inside(async (alerts, server) => {
      const saying = alerts.deliver(toRoom('hello'), JOIN);
      server.bounce(await server.next(), 'not-acceptable');
      assert.equal((await server.next()).name, 'presence');
      server.say(occupant('alerts', ALERTS, ['110']));
      server.say(reflection(await server.next(), 'alerts'));
      await saying;
    });
  });

  test('that forgets us time and again refuses the message', async () => {
    await inside(async (alerts, server) => {
      const saying = refused(alerts.deliver(toRoom('hello'), JOIN));
      server.bounce(await server.next(), 'not-acceptable');
      await server.next();
      server.say(occupant('alerts', ALERTS, ['110']));
      server.bounce(await server.next(), 'not-acceptable');
      assert.equal((await saying).condition, 'not-acceptable');
    });
  });

  test('that does not answer lets the message fail, and is joined anew for the next one', async () => {
    await withSpeech({ answerTimeout: 200 }, async (alerts, server) => {
      assert.equal((await refused(alerts.deliver(toRoom('hello'), JOIN))).code, 'no_answer');
      assert.equal((await server.session.next()).name, 'presence');
      assert.equal((await refused(alerts.deliver(toRoom('hello'), JOIN))).code, 'no_answer');
    });
  });

  test('is left when nobody has said anything for a while', async () => {
    await inside(
      async (_alerts, server) => {
        const leave = await server.next();
        assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
      },
      { roomIdle: 50 },
    );
  });

  test('is left when the component goes', async () => {
    await withSpeech({}, async (alerts, server, _speech, { door }) => {
      await settle(alerts, server);
      const [leave] = await Promise.all([server.next(), door.stop()]);
      assert.deepEqual([leave.attrs.type, leave.attrs.to], ['unavailable', `${ROOM}/alerts`]);
    });
  });

  test('may say what it likes: nobody is told', async () => {
    const told: string[] = [];
    const onStanza = (stanza: Element) => {
      told.push(stanza.attrs.id ?? '');
      return true;
    };
    await withSpeech(
      {},
      async (alerts, server) => {
        await settle(alerts, server);
        server.say(
          occupant('eve', ALERTS, []),
          reflection(letter(ALERTS, 'hello', { type: 'groupchat', id: 'of-eve' }), 'eve', { to: ALERTS }),
          letter(ALERTS, 'hello', { from: 'eve@evil.example', id: 'direct' }),
        );
        const asking = alerts.ask(xml('iq', { type: 'get', to: ROOM }, xml('query', 'a:b')), 60_000);
        const question = await server.next();
        server.say(xml('iq', { type: 'result', from: ROOM, to: ALERTS, id: question.attrs.id }));
        await asking;
        assert.deepEqual(told, ['direct']);
      },
      { onStanza },
    );
  });
});
