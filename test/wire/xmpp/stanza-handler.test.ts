import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Element } from '@xmpp/xml';
import { Refusal } from '../../../src/base/errors.ts';
import { iq, JID, slotRequest, withTestComponent } from '../../support/test-component.ts';

const PING = iq("<ping xmlns='urn:xmpp:ping'/>");
const STRANGE = iq("<query xmlns='urn:example:strange'/>");
const ROMEO = "from='romeo@montague.tld/garden'";
const letter = (id: string, to = JID) =>
  `<message ${ROMEO} to='${to}' id='${id}' type='chat'><body>hello</body></message>`;

/** Takes all that has one of these ids. */
function takerOf(...ids: readonly string[]) {
  const offered: Element[] = [];
  const onStanza = async (stanza: Element) => {
    offered.push(stanza);
    return ids.includes(stanza.attrs.id ?? '');
  };
  return { onStanza, seen: () => offered.map(({ name, attrs }) => `${name} ${attrs.id ?? attrs.type}`) };
}

describe('stanzas that nothing of the component has a use for', () => {
  test('go to who takes them, and are then not answered', async () => {
    const { onStanza, seen } = takerOf('m1', 'm2', 'step_03');
    await withTestComponent({ onStanza }, async (session) => {
      session.write(letter('m1') + letter('m2', `alerts@${JID}`) + STRANGE);
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

  test('are answered as before where nobody takes them', async () => {
    await withTestComponent({ onStanza: takerOf().onStanza }, async (session) => {
      assert.match((await session.request(letter('m1'))).toString(), /Nobody reads messages here/);
      assert.match((await session.request(STRANGE)).toString(), /service-unavailable/);
    });
  });

  test('go to who takes them for any address at the component', async () => {
    const { onStanza, seen } = takerOf('step_03');
    await withTestComponent({ onStanza }, async (session) => {
      session.write(iq("<ping xmlns='urn:xmpp:ping'/>", { to: `alerts@${JID}` }));
      await session.request(PING);
      assert.deepEqual(seen(), ['iq step_03']);
    });
  });

  test('come back with the error of who refuses them', async () => {
    const onStanza = () => {
      throw new Refusal('queue_full', { text: 'No room.' });
    };
    await withTestComponent({ onStanza }, async (session) => {
      const answer = await session.request(letter('m1'));
      assert.equal(answer.attrs.type, 'error');
      assert.match(answer.toString(), /<resource-constraint .*No room\./);
    });
  });

  test('are not slot requests, nor answers to questions', async () => {
    const { onStanza, seen } = takerOf();
    await withTestComponent({ onStanza }, async (session) => {
      session.write(`<iq ${ROMEO} to='${JID}' id='r1' type='result'/>`);
      await session.request(iq(slotRequest("filename='a.jpg' size='23456'")));
      assert.deepEqual(seen(), []);
    });
  });
});
