import { globSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { httpRequest } from '../../support/http.ts';
import { freePorts, startServerProgram } from '../support/ports.ts';
import type { Program } from '../support/program.ts';
import { XMPP_ROOT, xmppCommand } from './xmpp-root.ts';
import type { XmppServer, XmppServerOptions } from './xmpp-server.ts';

export interface EjabberdOptions extends XmppServerOptions {
  /** Domains with users besides `domain`. */
  readonly otherDomains?: readonly string[];
  /** Additional entries of `modules`, YAML indented by two spaces. */
  readonly modules?: string;
  /** Additional entries of `listen`, likewise. */
  readonly listeners?: string;
  readonly logLevel?: 'info' | 'warning';
}

export interface Ejabberd extends XmppServer {
  register(user: string, password: string, host?: string): Promise<void>;
}

interface Layout extends EjabberdOptions {
  readonly domain: string;
  readonly clientPort: number;
  readonly componentPort: number;
  /** The port of the HTTP API, which registers accounts faster than ejabberdctl. */
  readonly apiPort: number;
}

/** Starts ejabberd; takes one to two seconds. */
export async function startEjabberd(options: EjabberdOptions = {}): Promise<Ejabberd> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-ejabberd-'));
  const [clientPort = 0, freeComponentPort = 0, apiPort = 0] = await freePorts(3);
  const { componentPort = freeComponentPort } = options;
  const layout: Layout = {
    ...options,
    domain: options.domain ?? 'localhost',
    clientPort,
    componentPort,
    apiPort,
  };
  await mkdir(join(folder, 'logs'));
  await writeFile(join(folder, 'ejabberd.yml'), withLines(writeConfig(layout), layout));
  await writeFile(join(folder, 'inetrc'), '{lookup, ["file", "native"]}.\n');

  const launch = () => startErlangNode(folder, [clientPort, componentPort, apiPort], options.tls?.cert);
  let program = await launch();
  const earlier: string[] = [];
  return {
    domain: layout.domain,
    clientPort,
    componentPort,
    async register(user, password, host = layout.domain) {
      const body = JSON.stringify({ user, host, password });
      const headers = { 'Content-Type': 'application/json' };
      const answer = await httpRequest(`http://127.0.0.1:${apiPort}/api/register`, {
        method: 'POST',
        headers,
        body,
      });
      if (answer.status !== 200) throw new Error(`ejabberd register: ${answer.status} ${answer.text}`);
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
      await program.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Starts ejabberd like `ejabberdctl foreground`, but without Erlang distribution, which would leave epmd running. Newer Erlangs verify
 * the certificate of a `service_url`: `authority` is the file that they then trust.
 */
export function startErlangNode(
  folder: string,
  ports: readonly number[],
  authority?: string,
): Promise<Program> {
  const [module = ''] = globSync(`${XMPP_ROOT}/usr/lib/*/ejabberd-*`);
  const spool = `"${join(folder, 'spool')}"`;
  const trusted = authority === undefined ? [] : ['-public_key', 'cacerts_path', `"${authority}"`];
  const args = ['-noinput', '-mnesia', 'dir', spool, ...trusted, '-s', 'ejabberd'];
  return startServerProgram(ports, ...xmppCommand('erl', args, folder), {
    cwd: folder,
    env: {
      ERL_LIBS: dirname(module).slice(XMPP_ROOT.length),
      ERL_INETRC: join(folder, 'inetrc'),
      ERL_CRASH_DUMP: join(folder, 'crash.dump'),
      EJABBERD_CONFIG_PATH: join(folder, 'ejabberd.yml'),
      EJABBERD_LOG_PATH: join(folder, 'logs', 'ejabberd.log'),
    },
  });
}

interface Config {
  readonly listen: readonly { readonly port: number }[];
  readonly modules: Readonly<Record<string, unknown>>;
}

/** Merges the output of `porter init` into `listen` and `modules`; its listener replaces the one for components. */
function withLines(text: string, { initSnippet, componentPort }: Layout): string {
  if (initSnippet === undefined) return text;
  const [base, added] = [parse(text) as Config, parse(initSnippet) as Config];
  const others = base.listen.filter(({ port }) => port !== componentPort);
  return stringify({
    ...base,
    listen: [...others, ...added.listen],
    modules: { ...base.modules, ...added.modules },
  });
}

function writeConfig(layout: Layout): string {
  const {
    domain,
    otherDomains = [],
    components = [],
    tls,
    modules = '',
    listeners = '',
    logLevel = 'info',
    stanzaLimit,
  } = layout;
  const hosts = components.map(({ jid, secret }) => `      "${jid}": {password: "${secret}"}`);
  const extra = components.map(({ jid }) => `"${jid}"`).join(', ');
  const size = stanzaLimit === undefined ? '' : `max_stanza_size: ${stanzaLimit}`;
  const c2s = `${tls ? 'starttls_required: true' : 'starttls: false'}${size && `, ${size}`}`;
  return `
hosts: [${[domain, ...otherDomains].map((name) => `"${name}"`).join(', ')}]
loglevel: ${logLevel}
${tls ? `certfiles: ["${tls.cert}", "${tls.key}"]` : ''}
listen:
  - {port: ${layout.clientPort}, ip: "127.0.0.1", module: ejabberd_c2s, ${c2s}}
  - {port: ${layout.apiPort}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api}}
${listeners}
  - port: ${layout.componentPort}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    ${size}
    hosts:
${hosts.length === 0 ? '      "none.invalid": {password: "none"}' : hosts.join('\n')}
api_permissions:
  tests: {from: [mod_http_api], who: all, what: [register]}
modules:
  mod_disco: {extra_domains: [${extra}]}
  mod_roster: {}
  mod_ping: {}
${modules}
`;
}
