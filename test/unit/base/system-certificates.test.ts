import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';

const MODULE = join(import.meta.dirname, '../../../src/base/system-resources.ts');

/** Connects in every way that Porter and its libraries use, and prints what fails. */
const program = (prepare: string) => `
const { trustSystemCertificates } = await import(${JSON.stringify(MODULE)});
const { connect } = await import('node:tls');
const { get } = await import('node:https');
const port = Number(process.env.PORT);
${prepare}
const attempts = {
  tls: () => new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => resolve(socket.destroy())).on('error', reject);
  }),
  https: () => new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port }, (answer) => resolve(answer.resume())).on('error', reject);
  }),
  fetch: async () => (await fetch('https://127.0.0.1:' + port)).text(),
};
const failed = [];
for (const [name, attempt] of Object.entries(attempts)) await attempt().catch(() => failed.push(name));
process.stdout.write(JSON.stringify(failed));
`;

describe('a certificate of an authority that only the system trusts', () => {
  let folder = '';
  let files: CertificateFiles;
  let server: Server;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-authority-'));
    files = await writeCertificate(folder, ['localhost']);
    const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
    server = createServer({ cert, key }, (_request, response) => response.end('ok'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });
  after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  async function failures(prepare: string): Promise<string[]> {
    const { port } = server.address() as { port: number };
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', program(prepare)],
      { env: { ...env, PORT: String(port), SSL_CERT_FILE: files.cert, SSL_CERT_DIR: folder } },
    );
    return JSON.parse(stdout) as string[];
  }

  test('is accepted by TLS, HTTPS and fetch', async () => {
    assert.deepEqual(await failures('trustSystemCertificates();'), []);
    assert.deepEqual(await failures(''), ['tls', 'https', 'fetch']);
  });
});
