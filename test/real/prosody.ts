import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answering, freePorts } from './ports.ts';
import { Program, runProgram } from './program.ts';
import { DOMAIN, type XmppServer, type XmppServerOptions } from './xmpp-server.ts';

/** Prosody; ready within a tenth of a second. */
export async function startProsody(options: XmppServerOptions = {}): Promise<XmppServer> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-prosody-'));
  const [clientPort = 0, componentPort = 0] = await freePorts(2);
  const config = join(folder, 'prosody.cfg.lua');
  await mkdir(join(folder, 'data'));
  await chmod(folder, 0o755);
  await writeFile(config, writeConfig(folder, { ...options, clientPort, componentPort }));

  const launch = async () => {
    const program = new Program('prosody', ['-F', '--config', config]);
    await program.until('its ports', () => answering([clientPort, componentPort]));
    return program;
  };
  let program = await launch();
  const earlier: string[] = [];
  return {
    clientPort,
    componentPort,
    async register(user, password) {
      const args = ['--config', config, 'register', user, DOMAIN, password];
      const { code, stdout, stderr } = await runProgram('prosodyctl', args);
      if (code !== 0) throw new Error(`prosodyctl register: ${stdout}${stderr}`);
    },
    async crash() {
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

interface Layout extends XmppServerOptions {
  readonly clientPort: number;
  readonly componentPort: number;
}

function writeConfig(folder: string, layout: Layout): string {
  const { components = [], tls, lines = '' } = layout;
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
modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "carbons" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
c2s_require_encryption = ${tls !== undefined}
allow_unencrypted_plain_auth = true
log = { { levels = { min = "${layout.logLevel ?? 'info'}" }, to = "console" } }
${tls ? `ssl = { certificate = "${tls.cert}", key = "${tls.key}" }` : ''}
${layout.global ?? ''}
VirtualHost "${DOMAIN}"
  ${items === '' ? '' : `disco_items = { ${items} }`}
${sections.join('\n')}
${lines}
`;
}
