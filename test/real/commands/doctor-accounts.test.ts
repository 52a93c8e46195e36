import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { assertFindings, type DoctorResult, runDoctor } from '../support/run-doctor.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const CERTIFICATE = 'certificate of the XMPP server (localhost)';
const LOGIN = 'login of romeo@localhost';

for (const [name, start] of [['prosody', startProsody] as const, ['ejabberd', startEjabberd] as const]) {
  describe(`porter doctor --account, with ${name}`, { skip: needs(name) }, () => {
    let testbed: XmppTestbed;
    let server: XmppServer;
    let porter: PorterProcess;
    /** Trusts the certificate of the XMPP server as the system does. */
    let trusting: Record<string, string>;
    let runs = 0;

    before(async () => {
      testbed = await createXmppTestbed();
      server = await start({ tls: testbed.certificate });
      await server.register('romeo', PASSWORD);
      trusting = { SSL_CERT_FILE: testbed.certificate.cert };
      porter = await startPorter({ config: config(), env: trusting });
    });
    after(async () => {
      await porter?.remove();
      await server?.stop();
      await testbed?.remove();
    });

    const config = (messages: Record<string, unknown> = {}) => ({
      access: [{ jid: '@localhost$', max_file_size: '2 MB' }],
      messages: { server: `127.0.0.1:${server.clientPort}`, ...messages },
    });

    const storage = () => ({
      ledger: join(porter.folder, 'data/porter.db'),
      blobs: join(porter.folder, 'data/blobs'),
    });

    /** Runs the doctor with the account Romeo, with its own config if options differ from those of the running server. */
    async function diagnose({
      password = PASSWORD,
      env = trusting,
      messages,
    }: {
      password?: string;
      env?: Record<string, string>;
      messages?: Record<string, unknown>;
    }): Promise<DoctorResult> {
      runs += 1;
      const [passwordFile, otherFile] = [`password-${runs}`, `other-${runs}.yml`].map((name) =>
        join(testbed.folder, name),
      ) as [string, string];
      await writeFile(passwordFile, `${password}\n`);
      let file = join(porter.folder, 'porter.yml');
      if (messages) {
        file = otherFile;
        await writeFile(
          file,
          JSON.stringify({ listen: `127.0.0.1:${porter.port}`, storage: storage(), ...config(messages) }),
        );
      }
      return runDoctor(file, ['--account', 'romeo@localhost', '--password-file', passwordFile], env);
    }

    test('logs in, and sends a message through the running server to itself', async () => {
      const log = porter.program.output;
      const diagnosis = await diagnose({});
      assertFindings(diagnosis, 'fail', {});
      const states = new Map(diagnosis.findings.map(({ check, state }) => [check, state]));
      assert.deepEqual(
        [CERTIFICATE, LOGIN, 'message to itself'].map((check) => states.get(check)),
        ['ok', 'ok', 'ok'],
        diagnosis.output,
      );
      assert.doesNotMatch(porter.program.output.slice(log.length), /message|romeo/);
    });

    test('names a wrong password, and the options for an untrusted certificate and a wrong TLS mode', async () => {
      const [wrong, untrusted, direct] = await Promise.all([
        diagnose({ password: 'wrong' }),
        diagnose({ env: { SSL_CERT_FILE: '/dev/null' }, messages: {} }),
        diagnose({ messages: { direct_tls: true, answer_timeout: '3s' } }),
      ]);
      assertFindings(wrong, 'fail', { [LOGIN]: /refuses the name or the password/ });
      assertFindings(untrusted, 'fail', {
        [CERTIFICATE]: /does not trust.*NODE_EXTRA_CA_CERTS=\/path.*set messages\.require_tls: false/,
      });
      assertFindings(direct, 'fail', { [CERTIFICATE]: /Remove messages\.direct_tls/ });
    });
  });
}
