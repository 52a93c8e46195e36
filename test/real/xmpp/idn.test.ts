import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';

const DOMAIN = 'müller.example';
const COMPONENT = `upload.${DOMAIN}`;
const SECRET = 'a secret of twenty characters';
const PASSWORD = 'pw';

interface Slot {
  readonly put: string;
  readonly get: string;
}

/** The same request at the address of the test server. */
function atServer(link: string, porter: PorterProcess): [url: string, headers: Record<string, string>] {
  const { host, pathname } = new URL(link);
  return [`${porter.url}${pathname}`, { Host: host }];
}

for (const [name, startServer] of [
  ['prosody', startProsody],
  ['ejabberd', startEjabberd],
] as const) {
  describe(`A domain outside ASCII at ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    test('works as the name of the accounts, of the component and in links, and is one owner everywhere', async () => {
      const server = await startServer({
        domain: DOMAIN,
        components: [{ jid: COMPONENT, secret: SECRET }],
      });
      let porter: PorterProcess | undefined;
      let romeo: SlixmppClient | undefined;
      try {
        porter = await startPorter({
          config: {
            public_url: `http://${COMPONENT}`,
            component: { jid: COMPONENT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
            access: [{ jid: '@müller\\.example$' }],
          },
        });
        const { url } = porter;
        await porter.program.waitFor(
          'the component stream',
          async () => (await httpRequest(`${url}/readyz`)).status === 200,
        );
        await server.register('romeo', PASSWORD);
        romeo = await SlixmppClient.login({
          jid: `romeo@${DOMAIN}`,
          password: PASSWORD,
          port: server.clientPort,
        });
        const { jid } = await romeo.run<{ jid: string }>('discover');
        assert.equal(jid, COMPONENT);

        const slot = await romeo.run<Slot>('slot', { jid, name: 'grün.txt', size: 5 });
        for (const link of [slot.put, slot.get])
          assert.match(link, /^http:\/\/upload\.xn--mller-kva\.example\/[\x21-\x7e]+$/);
        const [put, headers] = atServer(slot.put, porter);
        assert.equal((await httpRequest(put, { method: 'PUT', headers, body: 'hallo' })).status, 201);
        assert.equal((await httpRequest(atServer(slot.get, porter)[0])).text, 'hallo');

        for (const spelling of [`romeo@${DOMAIN}`, 'romeo@xn--mller-kva.example', 'Romeo@MÜLLER.example']) {
          const { stdout, stderr } = await porter.runCommand('uploads', '--jid', spelling, '--json');
          const rows = JSON.parse(stdout || '[]') as { readonly owner: string }[];
          assert.deepEqual(
            rows.map(({ owner }) => owner),
            [`romeo@${DOMAIN}`],
            `${spelling}: ${stderr}`,
          );
        }
      } finally {
        await romeo?.logout();
        await porter?.remove();
        await server.stop();
      }
    });
  });
}
