import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arePortsOpen, freePorts } from '../../test/real/support/ports.ts';
import { Program, runProgram } from '../../test/real/support/program.ts';
import {
  COMPONENT,
  READER,
  SERVICE,
  USER,
  type XmppPorts,
  type XmppServer,
  xmppServer,
} from './xmpp-server.ts';

/** Starts Prosody with `http_file_share` and the modules that it requires, without limits. */
export async function prosodyServer(parent: string): Promise<XmppServer> {
  const folder = await mkdtemp(join(parent, 'prosody-'));
  const [client = 0, component = 0, http = 0] = await freePorts(3);
  const ports = { client, component, http };
  const config = join(folder, 'prosody.cfg.lua');
  await mkdir(join(folder, 'data'));
  // `prosodyctl` may run as another user.
  await chmod(folder, 0o755);
  await writeFile(config, configOf(folder, ports));
  const program = new Program('prosody', ['-F', '--config', config]);
  await program.waitFor('its ports', () => arePortsOpen([client, component, http]));
  for (const account of [USER, READER]) await register(config, account);
  return xmppServer('Prosody', program, ports, join(folder, 'data'));
}

async function register(config: string, { user, domain, password }: typeof USER): Promise<void> {
  const args = ['--config', config, 'register', user, domain, password];
  const { code, stdout, stderr } = await runProgram('prosodyctl', args);
  if (code !== 0) throw new Error(`prosodyctl register: ${stdout}${stderr}`);
}

// The default item limit of its file storage is 10,000 uploads.
const configOf = (folder: string, { client, component, http }: XmppPorts) => `
run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
interfaces = { "127.0.0.1" }
c2s_ports = { ${client} }
component_ports = { ${component} }
component_interfaces = { "127.0.0.1" }
http_ports = { ${http} }
https_ports = {}
http_interfaces = { "127.0.0.1" }
http_external_url = "http://127.0.0.1:${http}/"
modules_enabled = { "saslauth" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
storage_archive_item_limit = 100000000
log = { { levels = { min = "warn" }, to = "console" } }
VirtualHost "${USER.domain}"
Component "${COMPONENT.jid}"
  component_secret = "${COMPONENT.secret}"
Component "${SERVICE}" "http_file_share"
  http_host = "127.0.0.1"
  http_file_share_size_limit = 1024*1024*1024
  http_file_share_daily_quota = 1024*1024*1024*1024
`;
