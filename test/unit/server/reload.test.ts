import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseConfig } from '../../../src/config/load.ts';
import { type PorterServer, startServer } from '../../../src/server/start.ts';
import { httpRequest } from '../../support/http.ts';
import { createSelfSigned, writeCertificate } from '../../support/self-signed-certificate.ts';

const BASE = {
  listen: '127.0.0.1:0',
  log: { level: 'silent' },
  access: [{ jid: '.*', max_file_size: '1 MiB' }],
  slot_api: {},
};

/** Starts a server with these options. `reload` gives it others, as after SIGHUP. */
async function start(t: TestContext, options: object) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-reload-'));
  const parse = (more: object) =>
    parseConfig(JSON.stringify({ ...BASE, ...more }), { file: 'porter.yml', folder, env: {} });
  const server = await startServer(parse(options));
  t.after(async () => {
    await server.stop(0);
    await rm(folder, { recursive: true });
  });
  return { folder, server, reload: (more: object) => server.reload(parse(more)) };
}

function portOf({ addresses }: PorterServer): number {
  const [address] = addresses;
  return address !== undefined && 'port' in address ? address.port : assert.fail('no port');
}

test('a reload with a certificate that cannot be read keeps all settings', async (t) => {
  const certificates = await mkdtemp(join(tmpdir(), 'porter-certificate-'));
  t.after(() => rm(certificates, { recursive: true }));
  const tls = await writeCertificate(certificates, ['upload.example.org']);
  const ca = await readFile(tls.cert, 'utf8');
  const { server, reload } = await start(t, { tls });
  const maxSize = async () => {
    const url = `https://127.0.0.1:${portOf(server)}/slot/max_size/?jid=romeo@example.org`;
    return (await httpRequest(url, { ca })).text.trim();
  };
  assert.equal(await maxSize(), '1048576');

  const access = [{ jid: '.*', max_file_size: '2 MiB' }];
  // The key of another certificate.
  await writeFile(tls.key, createSelfSigned(['upload.example.org']).key);
  await assert.rejects(reload({ tls, access }));
  assert.equal(await maxSize(), '1048576');

  await assert.rejects(reload({ tls: { ...tls, cert: join(certificates, 'missing.pem') }, access }));
  assert.equal(await maxSize(), '1048576');
});

test('a reload replaces the tokens of messages and what they may do', async (t) => {
  const component = [{ jid: 'upload.example.org', secret: 'component secret', server: '127.0.0.1:1' }];
  const token = (text: string, to: string) => ({ token: text, from: 'bot@upload.example.org', to });
  const withTokens = (...tokens: object[]) => ({
    component,
    public_url: 'https://upload.example.org',
    messages: { tokens },
  });
  const { server, reload } = await start(
    t,
    withTokens(token('first-token-of-the-bot', '^romeo@'), token('second-token-of-the-bot', '^romeo@')),
  );
  /** 401: an unknown token. 403: it may not send to Juliet. 503: the component stream is down. */
  const post = async (secret: string) => {
    const url = `http://127.0.0.1:${portOf(server)}/msg/juliet@example.org?body=hello`;
    const headers = { Authorization: `Bearer ${secret}` };
    return (await httpRequest(url, { method: 'POST', headers })).status;
  };
  assert.equal(await post('first-token-of-the-bot'), 403);
  assert.equal(await post('second-token-of-the-bot'), 403);

  await reload(
    withTokens(token('second-token-of-the-bot', '^juliet@'), token('third-token-of-the-bot', '^romeo@')),
  );
  assert.equal(await post('first-token-of-the-bot'), 401);
  assert.equal(await post('second-token-of-the-bot'), 503);
  assert.equal(await post('third-token-of-the-bot'), 403);
});
