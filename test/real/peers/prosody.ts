import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateFiles } from '../../support/self-signed-certificate.ts';
import { freePorts, startServerProgram } from '../support/ports.ts';
import { runProgram } from '../support/program.ts';
import { xmppCommand } from './xmpp-root.ts';
import type { XmppServer, XmppServerOptions } from './xmpp-server.ts';

export interface ProsodyOptions extends XmppServerOptions {
  /** Global settings, inserted before the first host. */
  readonly global?: string;
  /** Appended to the config. */
  readonly extra?: string;
  readonly logLevel?: 'info' | 'warn';
  /** Connects the server to others (s2s), with STARTTLS and dialback. Default: no other server. */
  readonly federation?: Federation;
}

/** How servers find each other. Their port is 5269, the one that domains without SRV records use. */
export interface Federation {
  /** The server's own address, 127.x.y.z. */
  readonly address: string;
  /** A hosts file with the addresses of all domains. They must end in `.test`, so that no query leaves this machine (RFC 6761). */
  readonly hosts: string;
  readonly certificate: CertificateFiles;
}

/** For `extra`: a MUC component whose new rooms are not locked. */
export const OPEN_ROOMS = 'Component "conference.localhost" "muc"\n  muc_room_locking = false\n';

export interface Prosody extends XmppServer {
  /** `host`: a VirtualHost of `extra`. */
  register(user: string, password: string, host?: string): Promise<void>;
  /** Like `register`, but writes the account files directly. Call it before the first login. */
  registerMany(users: readonly string[], password: string): Promise<void>;
}

/** Starts Prosody; takes about 0.1 s. */
export async function startProsody(options: ProsodyOptions = {}): Promise<Prosody> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-prosody-'));
  const [clientPort = 0, freeComponentPort = 0] = await freePorts(2);
  const { componentPort = freeComponentPort } = options;
  const domain = options.domain ?? 'localhost';
  const config = join(folder, 'prosody.cfg.lua');
  await mkdir(join(folder, 'data'));
  await chmod(folder, 0o755);
  await writeFile(config, writeConfig(folder, { ...options, domain, clientPort, componentPort }));

  // Prosody opens the component port only if it has external components.
  const isForComponents = (options.components?.length ?? 0) > 0 || options.initSnippet !== undefined;
  const ports = isForComponents ? [clientPort, componentPort] : [clientPort];
  const launch = () => startServerProgram(ports, ...xmppCommand('prosody', ['-F', '--config', config]));
  let program = await launch();
  const earlier: string[] = [];
  return {
    domain,
    clientPort,
    componentPort,
    async register(user, password, host = domain) {
      const args = ['--config', config, 'register', user, host, password];
      const { code, stdout, stderr } = await runProgram(...xmppCommand('prosodyctl', args));
      if (code !== 0) throw new Error(`prosodyctl register: ${stdout}${stderr}`);
    },
    async registerMany(users, password) {
      const accounts = join(folder, 'data', domain, 'accounts');
      await mkdir(accounts, { recursive: true });
      // The format that `prosodyctl register` writes for names of letters and digits.
      const account = `return { ["password"] = "${password}"; };\n`;
      for (const user of users) await writeFile(join(accounts, `${user}.dat`), account);
    },
    async kill() {
      await program.stop('SIGKILL');
      earlier.push(program.output);
    },
    async start() {
      program = await launch();
    },
    log: () => [...earlier, program.output].join(''),
    async stop() {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Layout extends ProsodyOptions {
  readonly domain: string;
  readonly clientPort: number;
  readonly componentPort: number;
}

function federationConfig(federation: Federation | undefined): string {
  if (federation === undefined) return 'modules_disabled = { "s2s" }';
  const { address, hosts, certificate } = federation;
  return `
s2s_interfaces = { "${address}" }
s2s_ports = { 5269 }
s2s_require_encryption = true
s2s_secure_auth = false
ssl = { certificate = "${certificate.cert}", key = "${certificate.key}" }
unbound = { resolvconf = false; hoststxt = "${hosts}" }`;
}

function writeConfig(folder: string, layout: Layout): string {
  const { domain, components = [], tls, stanzaLimit: limit } = layout;
  const items = components.map(({ jid }) => `{ "${jid}", "HTTP File Upload" }`).join(', ');
  const sections = components.map(
    ({ jid, secret }) => `Component "${jid}"\n  component_secret = "${secret}"`,
  );
  return `
run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
plugin_paths = { "/usr/lib/prosody/modules" }
interfaces = { "127.0.0.1" }
c2s_ports = { ${layout.clientPort} }
component_ports = { ${layout.componentPort} }
component_interfaces = { "127.0.0.1" }
modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "carbons", "dialback" }
${federationConfig(layout.federation)}
authentication = "internal_plain"
c2s_require_encryption = ${tls !== undefined}
allow_unencrypted_plain_auth = true
log = { { levels = { min = "${layout.logLevel ?? 'info'}" }, to = "console" } }
${tls ? `ssl = { certificate = "${tls.cert}", key = "${tls.key}" }` : ''}
${limit === undefined ? '' : `c2s_stanza_size_limit = ${limit}\ncomponent_stanza_size_limit = ${limit}`}
${layout.global ?? ''}
VirtualHost "${domain}"
  ${items === '' ? '' : `disco_items = { ${items} }`}
${sections.join('\n')}
${layout.initSnippet ?? ''}
${layout.extra ?? ''}
`;
}
