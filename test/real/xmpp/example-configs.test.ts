import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import { startErlangNode } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { type DiscoInfo, SlixmppClient } from '../peers/slixmpp.ts';
import { createServerFolder, replaceInSnippet } from '../peers/web-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePorts, startServerProgram } from '../support/ports.ts';
import { type Program, runProgram } from '../support/program.ts';

const ACCOUNT = { jid: 'juliet@example.org', password: 'pw' };

/** An XMPP server that runs with an example config of contrib/. */
interface Running {
  readonly program: Program;
  readonly clientPort: number;
  readonly componentPort: number;
  readonly ca: string;
}

/** Prosody with the example config; only paths, ports and addresses are adapted. */
async function startProsody(folder: string): Promise<Running> {
  const [clientPort = 0, componentPort = 0] = await freePorts(2);
  const { cert, key } = await writeCertificate(folder, ['example.org']);
  await mkdir(join(folder, 'data'));
  const file = join(folder, 'prosody.cfg.lua');
  const here = `
run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
interfaces = { "127.0.0.1" }
c2s_ports = { ${clientPort} }
component_ports = { ${componentPort} }
modules_disabled = { "s2s" }
log = "*console"
`;
  const snippet = await readFile(join(CONTRIB, 'prosody/prosody.cfg.lua'), 'utf8');
  const ssl = `ssl = { certificate = "${cert}", key = "${key}" }`;
  await writeFile(file, here + replaceInSnippet(snippet, { 'certificates = "certs"': ssl }), { mode: 0o644 });
  const checked = await runProgram('prosodyctl', ['--config', file, 'check', 'config']);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const program = await startServerProgram([clientPort, componentPort], 'prosody', ['-F', '--config', file]);
  const registered = await runProgram('prosodyctl', [
    '--config',
    file,
    'register',
    'juliet',
    'example.org',
    'pw',
  ]);
  assert.equal(registered.code, 0, registered.stderr);
  return { program, clientPort, componentPort, ca: cert };
}

/** ejabberd with the example config; accounts are registered over its HTTP API. */
async function startEjabberd(folder: string): Promise<Running> {
  const [clientPort = 0, componentPort = 0, serverPort = 0, apiPort = 0] = await freePorts(4);
  const { cert, key } = await writeCertificate(folder, ['example.org']);
  const snippet = await readFile(join(CONTRIB, 'ejabberd/ejabberd.yml'), 'utf8');
  const api = `  - {port: ${apiPort}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api}}`;
  const text = replaceInSnippet(snippet, {
    '/etc/letsencrypt/live/example.org/fullchain.pem': cert,
    '/etc/letsencrypt/live/example.org/privkey.pem': key,
    'port: 5222': `port: ${clientPort}`,
    'port: 5269': `port: ${serverPort}`,
    'port: 5347': `port: ${componentPort}`,
    '\nlisten:\n': `\nlisten:\n${api}\n`,
  });
  const permissions = '\napi_permissions:\n  tests: {from: [mod_http_api], who: all, what: [register]}\n';
  await mkdir(join(folder, 'logs'));
  await writeFile(join(folder, 'ejabberd.yml'), text + permissions);
  await writeFile(join(folder, 'inetrc'), '{lookup, ["file", "native"]}.\n');
  const program = await startErlangNode(folder, [clientPort, componentPort, apiPort]);
  const body = JSON.stringify({ user: 'juliet', host: 'example.org', password: 'pw' });
  const { status, text: said } = await httpRequest(`http://127.0.0.1:${apiPort}/api/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
  assert.equal(status, 200, said);
  return { program, clientPort, componentPort, ca: cert };
}

async function uploadThrough({ clientPort, ca }: Running, porter: PorterProcess): Promise<void> {
  await porter.program.waitFor(
    'readiness',
    async () => (await httpRequest(`${porter.url}/readyz`)).status === 200,
  );
  const client = await SlixmppClient.login({ ...ACCOUNT, port: clientPort, ca });
  try {
    const service = await client.run<DiscoInfo>('discover');
    assert.equal(service.jid, 'upload.example.org');
    const picture = randomBytes(100_000);
    const path = join(porter.folder, 'picture.jpg');
    await writeFile(path, picture);
    const { get } = await client.run<{ get: string }>('upload', {
      jid: service.jid,
      path,
      type: 'image/jpeg',
    });
    assert.ok((await httpRequest(get)).body.equals(picture));
  } finally {
    await client.logout();
  }
}

async function tryOut(name: string, start: (folder: string) => Promise<Running>): Promise<void> {
  const folder = await createServerFolder(name);
  await chmod(folder, 0o755);
  const server = await start(folder);
  const [port = 0] = await freePorts(1);
  const secret = 'change me';
  const component = { jid: 'upload.example.org', secret, server: `127.0.0.1:${server.componentPort}` };
  const config = { public_url: `http://127.0.0.1:${port}`, component, access: [{ jid: '@example\\.org$' }] };
  const porter = await startPorter({ port, config });
  try {
    await uploadThrough(server, porter);
  } finally {
    await porter.remove();
    await server.program.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

describe('With its example config, an upload through Porter works in', () => {
  test('Prosody', { skip: needs('prosody', 'slixmpp') }, () => tryOut('prosody', startProsody));
  test('ejabberd', { skip: needs('ejabberd', 'slixmpp') }, () => tryOut('ejabberd', startEjabberd));
});
