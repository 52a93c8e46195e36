import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { type DoctorResult, runDoctor } from '../support/run-doctor.ts';

/** A component that is no subdomain of the users' domain, so that no server lists it by itself. */
const component = { jid: 'files.test', secret: 'a-secret-that-both-know' };
const access = [{ jid: '@localhost$', max_file_size: '2 MB' }];

interface Peer {
  readonly name: 'prosody' | 'ejabberd';
  /** Starts the server with the component, which it does not list, and with its own upload service. */
  readonly start: (componentPort: number) => Promise<XmppServer>;
  /** The line that lists the component. */
  readonly line: string;
  readonly otherService: RegExp;
}

const peers: readonly Peer[] = [
  {
    name: 'prosody',
    start: (componentPort) =>
      startProsody({
        componentPort,
        initSnippet: `Component "${component.jid}"\n  component_secret = "${component.secret}"`,
        global: 'http_ports = {}\nhttps_ports = {}',
        extra: 'Component "share.localhost" "http_file_share"\n  http_external_url = "http://localhost/"',
      }),
    line: 'to the section of VirtualHost "localhost" and restart it: disco_items = { { "files.test", "HTTP File Upload" } }',
    otherService: /localhost lists share\.localhost, which offers uploads too.*remove http_file_share/,
  },
  {
    name: 'ejabberd',
    start: (componentPort) =>
      startEjabberd({
        componentPort,
        initSnippet: JSON.stringify({
          listen: [
            {
              port: componentPort,
              ip: '127.0.0.1',
              module: 'ejabberd_service',
              access: 'all',
              hosts: { [component.jid]: { password: component.secret } },
            },
          ],
        }),
        modules: '  mod_http_upload: {hosts: ["share.@HOST@"], put_url: "http://localhost/upload"}',
      }),
    line: 'mod_disco: {extra_domains: ["files.test"]}',
    otherService: /localhost lists share\.localhost, which offers uploads too.*remove mod_http_upload/,
  },
];

for (const { name, start, line, otherService } of peers) {
  describe(`discovery through ${name}`, { skip: needs(name) }, () => {
    test('a component that no domain lists is named by the log and the doctor, with the line to add', async () => {
      await using cleanUp = new AsyncDisposableStack();
      const server = await start(await freePort());
      cleanUp.defer(() => server.stop());
      const porter = await startPorter({
        config: {
          access,
          public_url: 'http://localhost',
          component: { ...component, server: `127.0.0.1:${server.componentPort}` },
        },
      });
      cleanUp.defer(() => porter.remove());
      const { program } = porter;
      await program.waitFor('the warning', () => program.output.includes('does not list files.test'));

      const diagnose = () => runDoctor(join(porter.folder, 'porter.yml'), ['--url', porter.url]);
      assertReported(await diagnose(), line, otherService);
      const warnings = program.output.split('\n').filter((text) => text.includes('does not list files.test'));
      assert.equal(warnings.length, 1, 'the log repeats it for each check');

      await porter.stop();
      assertReported(await diagnose(), line, otherService);
    });
  });
}

function assertReported({ findings, output, code }: DoctorResult, line: string, otherService: RegExp): void {
  const found = findings.filter(({ check }) => check === 'discovery of files.test');
  assert.deepEqual(
    found.map(({ state }) => state),
    ['fail', 'warn'],
    output,
  );
  assert.ok(found[0]?.text.includes(line), output);
  assert.match(found[1]?.text ?? '', otherService);
  assert.equal(code, 1);
}
