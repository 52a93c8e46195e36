import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { runDoctor } from '../support/run-doctor.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

export const VERONA = 'verona.localhost';
export const MANTUA = 'mantua.localhost';
export const COMPONENTS = [`upload.${VERONA}`, `upload.${MANTUA}`] as const;
export const SECRET = 'a secret of twenty characters';

/** How the tests start one kind of XMPP server that hosts both domains and has both components. */
export interface HostingServerKind {
  readonly name: PeerName;
  start(): Promise<HostingServer>;
}

export type HostingServer = Pick<XmppServer, 'clientPort' | 'componentPort' | 'stop'> & {
  register(user: string, password: string, domain: string): Promise<void>;
};

interface UploadRow {
  readonly owner: string;
  readonly link: string;
}

/** Tests Porter beside one XMPP server with several domains. */
export function testHostedDomains(kind: HostingServerKind): void {
  describe(`Two domains of one ${kind.name}, each with links on its name`, {
    skip: needs(kind.name, 'slixmpp'),
  }, () => {
    let testbed: XmppTestbed;
    let server: HostingServer;
    let porter: PorterProcess;
    let romeo: SlixmppClient;
    let balthasar: SlixmppClient;
    /** Base URLs: other hosts and other paths. */
    let bases: Record<typeof VERONA | typeof MANTUA, string>;

    before(async () => {
      testbed = await createXmppTestbed();
      server = await kind.start();
      await server.register('romeo', PASSWORD, VERONA);
      await server.register('balthasar', PASSWORD, MANTUA);
      const port = await freePort();
      bases = {
        [VERONA]: `http://127.0.0.1:${port}/verona`,
        [MANTUA]: `http://127.0.0.2:${port}/mantua`,
      };
      const shared = { secret: SECRET, server: `127.0.0.1:${server.componentPort}` };
      porter = await startPorter({
        port,
        config: {
          listen: [`127.0.0.1:${port}`, `127.0.0.2:${port}`],
          component: [
            { jid: COMPONENTS[0], ...shared, public_url: bases[VERONA] },
            { jid: COMPONENTS[1], ...shared, public_url: bases[MANTUA] },
          ],
          slot_api: {},
          access: [{ jid: '@{domain}$' }],
        },
      });
      await porter.program.waitFor('the streams', isReady);
      [romeo, balthasar] = (await Promise.all(
        [`romeo@${VERONA}`, `balthasar@${MANTUA}`].map((jid) =>
          SlixmppClient.login({ jid, password: PASSWORD, port: server.clientPort }),
        ),
      )) as [SlixmppClient, SlixmppClient];
    });
    after(async () => {
      await romeo?.logout();
      await balthasar?.logout();
      await porter?.remove();
      await server?.stop();
      await testbed?.remove();
    });

    const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;

    /** Uploads to the service that the client discovers, and returns the link. */
    async function upload(client: SlixmppClient, content: string): Promise<string> {
      const { jid } = await client.run<{ jid: string }>('discover');
      const path = await testbed.createFile(`${content}.txt`, content);
      return (await client.run<{ get: string }>('upload', { jid, path })).get;
    }

    async function json<T>(...args: readonly string[]): Promise<T> {
      const { code, stdout, stderr } = await porter.runCommand(...args, '--json');
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as T;
    }

    test('users of both domains get links on their name, and one rule allows them', async () => {
      const links = [await upload(romeo, 'a-rose'), await upload(balthasar, 'news')] as const;
      assert.ok(links[0].startsWith(`${bases[VERONA]}/files/`), links[0]);
      assert.ok(links[1].startsWith(`${bases[MANTUA]}/files/`), links[1]);
      const texts = await Promise.all(links.map(async (link) => (await httpRequest(link)).text));
      assert.deepEqual(texts, ['a-rose', 'news']);
      const slot = await httpRequest(`${porter.url}/slot/?jid=balthasar@${MANTUA}&name=a.txt&size=1`);
      assert.ok(slot.text.startsWith(`${bases[MANTUA]}/put/`), slot.text);
      const stranger = await httpRequest(`${porter.url}/slot/?jid=paris@paris.localhost&name=a.txt&size=1`);
      assert.equal(stranger.status, 403);
    });

    test("a client that uses the other domain's service gets links on the name of its domain", async () => {
      const { get } = await romeo.run<{ get: string }>('slot', {
        jid: `upload.${MANTUA}`,
        name: 'a.txt',
        size: 1,
      });
      assert.ok(get.startsWith(`${bases[VERONA]}/files/`), get);
    });

    test('commands print and accept the links of each domain', async () => {
      const given = new Map([
        [`romeo@${VERONA}`, await upload(romeo, 'listed-here')],
        [`balthasar@${MANTUA}`, await upload(balthasar, 'listed-there')],
      ]);
      for (const [owner, link] of given) {
        const rows = await json<UploadRow[]>('uploads', '--jid', owner, '--sort', 'newest', '--limit', '1');
        assert.deepEqual(
          rows.map((row) => row.link),
          [link],
        );
        const explained = await porter.runCommand('why', link);
        assert.match(explained.stdout, new RegExp(`of ${owner},[\\s\\S]*Link: ${link}\n`));
        assert.equal((await porter.runCommand('delete', link)).code, 0);
      }
    });

    test('the doctor tests the links of both', async () => {
      const { findings, output } = await runDoctor(`${porter.folder}/porter.yml`);
      assert.deepEqual(
        findings.filter(({ state }) => state === 'fail'),
        [],
        output,
      );
      const checks = findings.filter(({ state }) => state === 'ok').map(({ check }) => check);
      for (const base of Object.values(bases)) {
        const { host } = new URL(base);
        for (const check of ['upload', 'download']) assert.ok(checks.includes(`${host}: ${check}`), output);
      }
    });
  });
}
