import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startErlangNode } from '../../test/real/peers/ejabberd.ts';
import { freePorts } from '../../test/real/support/ports.ts';
import { httpRequest } from '../../test/support/http.ts';
import type { FileServer } from './file-server.ts';
import {
  COMPONENT,
  READER,
  SERVICE,
  USER,
  type XmppPorts,
  type XmppServer,
  xmppServer,
} from './xmpp-server.ts';

/** Starts ejabberd with `mod_http_upload` and the commands that send messages, and without other modules. */
export async function ejabberdServer(parent: string): Promise<XmppServer> {
  const folder = await mkdtemp(join(parent, 'ejabberd-'));
  const [client = 0, component = 0, http = 0] = await freePorts(3);
  const ports = { client, component, http };
  const files = join(folder, 'files');
  await mkdir(files);
  await mkdir(join(folder, 'logs'));
  // JSON is YAML.
  await writeFile(join(folder, 'ejabberd.yml'), JSON.stringify(configOf(ports, files)));
  await writeFile(join(folder, 'inetrc'), '{lookup, ["file", "native"]}.\n');
  const program = await startErlangNode(folder, [client, component, http]);
  const server = xmppServer('ejabberd', program, ports, files);
  for (const account of [USER, READER]) await register(server, account);
  return server;
}

/** Commands that the HTTP API accepts without a password. */
const COMMANDS = ['register', 'send_message', 'send_stanza'];

function configOf({ client, component, http }: XmppPorts, files: string) {
  const ip = '127.0.0.1';
  const handlers = { '/api': 'mod_http_api', '/upload': 'mod_http_upload' };
  const hosts = { [COMPONENT.jid]: { password: COMPONENT.secret } };
  const upload = { host: SERVICE, docroot: files, put_url: `http://${ip}:${http}/upload` };
  return {
    hosts: [USER.domain],
    loglevel: 'warning',
    listen: [
      { port: client, ip, module: 'ejabberd_c2s' },
      { port: http, ip, module: 'ejabberd_http', request_handlers: handlers },
      { port: component, ip, module: 'ejabberd_service', access: 'all', hosts },
    ],
    api_permissions: { bench: { from: ['mod_http_api'], who: 'all', what: COMMANDS } },
    modules: { mod_http_upload: { ...upload, max_size: 'infinity', access: 'all' }, mod_admin_extra: {} },
  };
}

/** Registers an account over HTTP, which is faster than ejabberdctl. */
export async function register({ url }: FileServer, { user, password, domain }: typeof USER): Promise<void> {
  const body = JSON.stringify({ user, host: domain, password });
  const headers = { 'Content-Type': 'application/json' };
  const { status, text } = await httpRequest(`${url}/api/register`, {
    method: 'POST',
    headers,
    body,
  });
  if (status !== 200) throw new Error(`ejabberd register: ${status} ${text}`);
}
