import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Element } from '@xmpp/xml';
import { chatMessage, expectRefusal } from '../../support/component-sender.ts';
import type { FakeC2sConnection } from '../../support/fake-c2s-server.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { LOGIN, type ServerScript, SM, withServer } from './login-testbed.ts';

describe('an account session with acks (XEP-0198)', () => {
  test('confirms the stanzas that it has received if the server asks (XEP-0198)', async () => {
    const { promise: confirmed, resolve } = Promise.withResolvers<Element>();
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin();
      const message = "<message from='juliet@localhost/x' type='headline'/>";
      client.write(`${message}${message}<r xmlns='urn:xmpp:sm:3'/>`);
      resolve(await client.nextElement());
    };
    await withServer(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      const answer = await confirmed;
      assert.deepEqual([answer.name, answer.attrs.xmlns, answer.attrs.h], ['a', 'urn:xmpp:sm:3', '2']);
    });
  });

  /** Turns on acks and calls `serve` with each further element. Other clients than Porter may write to the session too. */
  const withAcks =
    (serve: (client: FakeC2sConnection, element: Element) => void, others = ''): ServerScript =>
    async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      assert.ok((await client.nextElement()).is('enable', SM));
      client.write(`<enabled xmlns='${SM}'/>${others}`);
      for (;;) serve(client, await client.nextElement());
    };
  const hello = (id: string) => chatMessage('juliet@localhost', 'hello', { id });

  test('asks for an ack instead of a ping to its server where the server has acks', async () => {
    const received: string[] = [];
    let stanzas = 0;
    const script = withAcks((client, element) => {
      received.push(element.is('r', SM) ? 'r' : `${element.name} ${element.attrs.to}`);
      if (element.is('r', SM)) client.write(`<a xmlns='${SM}' h='${stanzas}'/>`);
      else stanzas += 1;
    });
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      for (const id of ['m1', 'm2']) await romeo.deliver(hello(id), { bounceWait: 0 });
      assert.deepEqual(received, ['message juliet@localhost', 'r', 'message juliet@localhost', 'r']);
    });
  });

  test('confirms what it has handled, one too large for it included, but no stanza before acks were on', async () => {
    const { promise: confirmed, resolve } = Promise.withResolvers<string | undefined>();
    const large = `<message from='juliet@localhost/x' type='headline'>${'<e/>'.repeat(50_001)}</message>`;
    const iq = "<iq from='juliet@localhost/x' type='result' id='unknown'/>";
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      await client.nextElement();
      client.write(`${iq}<enabled xmlns='${SM}'/>${large}${iq}<a xmlns='${SM}' h='0'/><r xmlns='${SM}'/>`);
      resolve((await client.nextElement()).attrs.h);
    };
    await withServer(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      assert.equal(await confirmed, '2');
    });
  });

  test('uses pings if the server refuses to turn on acks', async () => {
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      await client.nextElement();
      client.write(`<failed xmlns='${SM}'/>`);
      for (;;) {
        const { attrs, name } = await client.nextElement();
        if (name === 'iq') client.write(`<iq type='result' id='${attrs.id}'/>`);
      }
    };
    await withServer(script, async (accounts) => {
      await (await accounts.senderFor(LOGIN)).deliver(hello('m1'), { bounceWait: 0 });
    });
  });

  test('knows which messages of a broken stream the server has taken, and does not send the others again', async () => {
    const received: (string | undefined)[] = [];
    const script = withAcks((client, { name, attrs }) => {
      if (name === 'message') received.push(attrs.id);
      else client.write(`<a xmlns='${SM}' h='2'/></stream:stream>`);
    });
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      const ids = ['m1', 'm2', 'm3'];
      const outcomes = await Promise.allSettled(ids.map((id) => romeo.deliver(hello(id), { bounceWait: 0 })));
      assert.deepEqual(
        outcomes.map((one) => (one.status === 'rejected' ? one.reason.code : 'sent')),
        ['sent', 'sent', 'no_answer'],
      );
      await accounts.senderFor(LOGIN);
      assert.deepEqual(received, ids);
    });
  });

  test('is dropped if the server confirms more than was sent', async () => {
    const script = withAcks((client) => client.write(`<a xmlns='${SM}' h='9'/>`));
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      assert.equal((await expectRefusal(romeo.deliver(hello('m1'), { bounceWait: 0 }))).code, 'no_answer');
      await waitUntil(() => accounts.openSessions === 0);
    });
  });
});
