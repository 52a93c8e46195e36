import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Element } from '@xmpp/xml';
import { Refusal } from '../../../src/base/errors.ts';
import { iq, JID, slotRequest, withTestComponent } from '../../support/test-component.ts';

const PING = iq("<ping xmlns='urn:xmpp:ping'/>");
const UNKNOWN_IQ = iq("<query xmlns='urn:example:strange'/>");
const ROMEO = "from='romeo@montague.tld/garden'";
const personalMessage = (id: string, to = JID) =>
  `<message ${ROMEO} to='${to}' id='${id}' type='chat'><body>hello</body></message>`;

/** A handler that takes the stanzas with these ids and records all that it gets. */
function createHandler(...ids: readonly string[]) {
  const offered: Element[] = [];
  const onStanza = async (stanza: Element) => {
    offered.push(stanza);
    return ids.includes(stanza.attrs.id ?? '');
  };
  return { onStanza, seen: () => offered.map(({ name, attrs }) => `${name} ${attrs.id ?? attrs.type}`) };
}

describe('a stanza that no route of the component handles', () => {
  test('is passed to the handler, and gets no answer if the handler takes it', async () => {
    const { onStanza, seen } = createHandler('m1', 'm2', 'step_03');
    await withTestComponent({ onStanza }, async (session) => {
      session.write(personalMessage('m1') + personalMessage('m2', `alerts@${JID}`) + UNKNOWN_IQ);
      session.write(`<presence ${ROMEO} to='${JID}' type='subscribe'/>`);
      session.write(`<message ${ROMEO} to='${JID}' id='e1' type='error'><error type='cancel'/></message>`);
      const answer = await session.request(PING);
      assert.equal(answer.attrs.type, 'result');
      assert.deepEqual(seen(), [
        'message m1',
        'message m2',
        'iq step_03',
        'presence subscribe',
        'message e1',
      ]);
    });
  });

  test('is answered with an error if the handler does not take it', async () => {
    await withTestComponent({ onStanza: createHandler().onStanza }, async (session) => {
      assert.match(
        (await session.request(personalMessage('m1'))).toString(),
        /Messages to this address are not read/,
      );
      assert.match((await session.request(UNKNOWN_IQ)).toString(), /service-unavailable/);
    });
  });

  test('is passed to the handler for every address at the component', async () => {
    const { onStanza, seen } = createHandler('step_03');
    await withTestComponent({ onStanza }, async (session) => {
      session.write(iq("<ping xmlns='urn:xmpp:ping'/>", { to: `alerts@${JID}` }));
      await session.request(PING);
      assert.deepEqual(seen(), ['iq step_03']);
    });
  });

  test('is answered with the refusal that the handler throws', async () => {
    const onStanza = () => {
      throw new Refusal('queue_full', { text: 'The queue is full.' });
    };
    await withTestComponent({ onStanza }, async (session) => {
      const answer = await session.request(personalMessage('m1'));
      assert.equal(answer.attrs.type, 'error');
      assert.match(answer.toString(), /<resource-constraint .*The queue is full\./);
    });
  });

  test('is never a slot request or an iq result', async () => {
    const { onStanza, seen } = createHandler();
    await withTestComponent({ onStanza }, async (session) => {
      session.write(`<iq ${ROMEO} to='${JID}' id='r1' type='result'/>`);
      await session.request(iq(slotRequest("filename='a.jpg' size='23456'")));
      assert.deepEqual(seen(), []);
    });
  });
});
