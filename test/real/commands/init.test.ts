import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import { type DiscoInfo, SlixmppClient } from '../peers/slixmpp.ts';
import { createTemporaryFolder, runPorter, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';

const DEFAULT_COMPONENT_PORT = '5347';
const DEFAULT_PORT = '5050';

/** The lines of `porter init` between its heading and its next steps, which an admin copies. */
function linesIn(printed: string): string {
  const [, lines] = /:\n\n([\s\S]+?)\nThen:\n/.exec(printed) ?? [];
  assert.ok(lines, printed);
  return lines;
}

describe('The output of porter init, pasted into the server', () => {
  for (const [name, start] of [['prosody', startProsody] as const, ['ejabberd', startEjabberd] as const]) {
    test(`transfers a file through ${name}`, { skip: needs(name, 'slixmpp') }, async () => {
      await using cleanUp = new AsyncDisposableStack();
      const folder = await createTemporaryFolder();
      cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
      const printed = await runPorter(['init', '--for', name, '--domain', 'localhost'], { cwd: folder });
      assert.equal(printed.code, 0, printed.stderr);

      // Only the ports differ, so that tests can run in parallel.
      const componentPort = await freePort();
      const initSnippet = linesIn(printed.stdout).replaceAll(DEFAULT_COMPONENT_PORT, String(componentPort));
      const server = await start({ initSnippet, componentPort });
      cleanUp.defer(() => server.stop());
      await server.register('juliet', 'pw');

      const port = await freePort();
      const config = (await readFile(join(folder, 'porter.yml'), 'utf8'))
        .replaceAll(DEFAULT_COMPONENT_PORT, String(componentPort))
        .replaceAll(DEFAULT_PORT, String(port));
      const porter = await startPorter({ folder, port, config });
      cleanUp.defer(async () => {
        await porter.stop();
      });
      await porter.program.waitFor(
        'readiness',
        async () => (await httpRequest(`${porter.url}/readyz`)).status === 200,
      );

      const account = { jid: 'juliet@localhost', password: 'pw', port: server.clientPort };
      const juliet = await SlixmppClient.login(account);
      cleanUp.defer(() => juliet.logout());
      const { jid } = await juliet.run<DiscoInfo>('discover');
      assert.equal(jid, 'upload.localhost');
      const path = join(folder, 'rose.jpg');
      await writeFile(path, 'by any other name');
      const { get } = await juliet.run<{ get: string }>('upload', { jid, path });
      assert.equal((await httpRequest(get)).text, 'by any other name');
    });
  }
});
