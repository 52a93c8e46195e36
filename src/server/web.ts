import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { memoizeLast } from '../base/async.ts';
import { sha256Hex } from '../base/ids.ts';
import { version } from '../base/package-files.ts';
import { type Relay, RelayError } from '../cluster/relay.ts';
import { createHostedLinks, domainsOf } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import { visibleOptions } from '../config/visible-options.ts';
import { webEndpoint } from '../web/web-endpoint.ts';
import type { WebServices, WebSettings } from '../web/web-services.ts';
import { createLoginThrottle } from '../xmpp/client/login-throttle.ts';
import type { ServerHooks } from './hooks.ts';
import { fetchStreamStatuses } from './leader-tasks.ts';
import { createLoginMatcher, type Messaging } from './messaging.ts';
import type { Runtime } from './runtime.ts';

export interface WebDependencies {
  readonly messaging: Pick<Messaging, 'senders'>;
  readonly relay: Relay;
  /** Undefined if the config has no `messages`. */
  readonly hooks: ServerHooks | undefined;
}

/** Creates the endpoint of the web page. Only a config with a section `web` loads this module. */
export function createWebEndpoint(runtime: Runtime, path: string, dependencies: WebDependencies) {
  return webEndpoint(createWebServices(runtime, dependencies), path);
}

function createWebServices(
  { config, services, settings }: Runtime,
  { messaging, relay, hooks }: WebDependencies,
): WebServices {
  const { web: initial } = config;
  if (initial === null) throw new Error('The config has no web section.');
  const toSettings = memoizeLast(
    (current: ReturnType<Runtime['settings']>): WebSettings => ({
      ...toWebSettings(current.config, current.config.web ?? initial),
      trustedProxies: current.slots.trustedProxies,
    }),
  );
  const current = () => settings().config;
  return {
    ...services,
    senders: messaging.senders,
    hooks,
    secretGuard: createLoginThrottle(services.clock),
    settings: () => toSettings(settings()),
    overview: {
      version,
      globalQuota: () => current().global_quota,
      streams: () => readStreams(relay),
      configLines: () => current().lines,
      runDoctor: () => runDoctor(config),
      config: () => ({
        file: current().file && basename(current().file ?? ''),
        warnings: current().warnings,
        options: visibleOptions(current()),
      }),
    },
  };
}

/** Returns the states of the component streams. Empty if the leading process does not answer. */
async function readStreams(relay: Relay) {
  const statuses = await fetchStreamStatuses(relay).catch((error: unknown) => {
    if (error instanceof RelayError) return [];
    throw error;
  });
  return statuses.map(({ jid, up, lastError }) => ({ jid, up, reason: lastError }));
}

function toWebSettings(config: Config, web: NonNullable<Config['web']>): Omit<WebSettings, 'trustedProxies'> {
  const links = createHostedLinks(config);
  return {
    path: web.path,
    title: web.title,
    contacts: web.contact,
    admins: web.admins,
    moderators: web.moderators,
    adminTokenHash: web.token === null ? null : sha256Hex(web.token),
    signIn: web.sign_in.filter((way) => way !== 'link' || config.component.length > 0),
    guestLinks: web.guest_links,
    linkBasesFor: links.forOwner,
    baseUrls: links.urls,
    linkSenderFor: (account) => {
      const domain = account.slice(account.lastIndexOf('@') + 1);
      const ofDomain = config.component.find(
        (one) => domainsOf(one).includes(domain) || one.jid.endsWith(`.${domain}`),
      );
      return (ofDomain ?? config.component[0])?.jid ?? null;
    },
    idleTimeoutMs: config.uploads.idle_timeout,
    maySignIn: createLoginMatcher(config),
  };
}

/** The doctor waits for DNS, the XMPP server and test uploads. */
const TIMEOUT_MS = 180_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** The output of `porter doctor --json`. */
interface DoctorRun {
  readonly ok: boolean;
  readonly findings: readonly { readonly check: string; readonly state: string; readonly text: string }[];
}

/**
 * Runs `porter doctor --json` as a process, because the doctor tests a running system from outside and opens the stores itself. Rejects
 * if the process prints no report.
 */
function runDoctor({ file }: Pick<Config, 'file'>): Promise<DoctorRun> {
  const [, main = ''] = process.argv;
  const args = [...process.execArgv, main, 'doctor', '--json', ...(file === null ? [] : ['-c', file])];
  const { PORTER_WORKER: _worker, NODE_UNIQUE_ID: _id, NODE_CHANNEL_FD: _fd, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const options = { env, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      // Exit code 1 means failed checks.
      const run = parseRun(stdout);
      if (run) resolve(run);
      else reject(new Error(`porter doctor gave no report: ${stderr.slice(-1000)}`, { cause: error }));
    });
  });
}

function parseRun(stdout: string): DoctorRun | undefined {
  try {
    return JSON.parse(stdout) as DoctorRun;
  } catch {
    return undefined;
  }
}
