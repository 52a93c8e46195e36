import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import {
  createTemporaryFolder,
  type PorterProcess,
  runPorter,
  startPorter,
} from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';

describe('porter health', () => {
  const cases: Record<string, (folder: string, port: number) => Promise<Record<string, unknown>>> = {
    'on another port': async (_folder, port) => ({ listen: `127.0.0.1:${port}` }),
    'at all addresses': async (_folder, port) => ({ listen: `0.0.0.0:${port}` }),
    'with TLS': async (folder, port) => ({
      listen: `127.0.0.1:${port}`,
      tls: await writeCertificate(folder, ['upload.example.org']),
    }),
    'on a Unix socket': async (folder, port) => ({
      listen: [`unix:${join(folder, 'porter.sock')}`, `127.0.0.1:${port}`],
    }),
  };
  for (const [name, createConfig] of Object.entries(cases)) {
    test(`exits with 0 for a ready server ${name}`, async () => {
      const folder = await createTemporaryFolder();
      let porter: PorterProcess | undefined;
      try {
        const port = await freePort();
        const config = await createConfig(folder, port);
        const { tls } = config as { tls?: { cert: string; key: string } };
        porter = await startPorter({ folder, port, config, ...(tls && { certificate: tls }) });
        const { code, stdout, stderr } = await porter.runCommand('health');
        assert.deepEqual([code, stderr], [0, '']);
        assert.match(stdout, /is ready\.\n$/);
      } finally {
        await porter?.stop();
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  test('exits with 1 and the reason if a component has no stream', async () => {
    const closedPort = await freePort();
    const porter = await startPorter({
      config: {
        public_url: 'http://127.0.0.1:1',
        component: { jid: 'upload.localhost', secret: 'x', server: `127.0.0.1:${closedPort}` },
      },
    });
    try {
      const { code, stderr } = await porter.runCommand('health');
      assert.equal(code, 1);
      assert.match(stderr, /^porter: Porter is not ready\. upload\.localhost: /);
      const json = await porter.runCommand('health', '--json');
      assert.equal(json.code, 1);
      assert.equal(JSON.parse(json.stdout).ready, false);
    } finally {
      await porter.remove();
    }
  });

  test('exits with 1 if no server answers, and with 2 for an invalid config', async () => {
    const folder = await createTemporaryFolder();
    try {
      const file = join(folder, 'porter.yml');
      await writeFile(file, `listen: 127.0.0.1:${await freePort()}\n`);
      const silent = await runPorter(['health', '-c', file]);
      assert.equal(silent.code, 1);
      assert.match(silent.stderr, /No answer at 127\.0\.0\.1:\d+ \(ECONNREFUSED\)\. Is Porter running\?/);
      await writeFile(file, 'lisen: 127.0.0.1:5050\n');
      assert.equal((await runPorter(['health', '-c', file])).code, 2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
