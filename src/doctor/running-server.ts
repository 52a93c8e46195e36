import type { Config } from '../config/load.ts';
import { formatLocalBaseUrl, type ProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { blobsAdvice } from './storage.ts';
import { explainSocketError } from './unix-socket.ts';

/** The running server, with the state that it reports at `/readyz`. */
export interface RunningServer {
  /** The address of the server on this machine, without a reverse proxy. */
  readonly target: ProbeTarget;
  /** JIDs of components without a stream. */
  readonly disconnectedComponents: ReadonlySet<string>;
}

/** The JSON answer of `/readyz`. */
export interface ReadinessAnswer {
  readonly ready: boolean;
  readonly reasons: readonly PartReport[];
  /** Parts that work, but slowly. */
  readonly slow: readonly PartReport[];
}

interface PartReport {
  readonly part: string;
  readonly reason: string;
}

/** Sends a request to the server at the address in `listen`, and reports the result. Returns undefined if no server answers. */
export async function checkRunningServer(
  report: DoctorReport,
  config: Config,
): Promise<RunningServer | undefined> {
  const target = localTarget(config);
  const address = formatTarget(target);
  try {
    const { status, body } = await sendProbe(target, '/readyz');
    const answer = parseReadiness(body);
    if (answer === undefined) {
      report.fail(
        'server',
        `Another program answers at ${address} (status ${status}). Stop it, or change \`listen\`.`,
      );
      return undefined;
    }
    report.ok('server', `It runs and answers at ${address}.`);
    return { target, disconnectedComponents: new Set(reportReadiness(report, config, answer)) };
  } catch (error) {
    const reason = shortErrorReason(error);
    report.fail(
      'server',
      target.socketPath === undefined
        ? `No answer at ${address} (${reason}). Start \`porter serve\` with this config file.`
        : explainSocketError(reason, target.socketPath),
    );
    return undefined;
  }
}

/** Parses the answer of `/readyz`. Returns undefined if another program has sent it. */
export function parseReadiness(body: Buffer): ReadinessAnswer | undefined {
  try {
    const answer = JSON.parse(body.toString()) as Partial<ReadinessAnswer>;
    const { ready, reasons, slow = [] } = answer;
    return typeof ready === 'boolean' && Array.isArray(reasons) ? { ready, reasons, slow } : undefined;
  } catch {
    return undefined;
  }
}

/** Reports the problems of the server, and returns the JIDs of components without a stream. */
export function reportReadiness(
  report: DoctorReport,
  config: Pick<Config, 'component' | 'storage'>,
  { reasons, slow }: Omit<ReadinessAnswer, 'ready'>,
): string[] {
  const jids = new Set(config.component.map(({ jid }) => jid));
  for (const { part, reason } of reasons) {
    if (jids.has(part)) continue;
    const advice = part === 'blobs' ? ` ${blobsAdvice(config)}` : '';
    report.fail(`server: ${part}`, `The running server reports: ${reason}${advice}`);
  }
  for (const { part, reason } of slow) {
    report.warn(
      `server: ${part}`,
      `The running server reports: ${reason} Check the load of this machine, its disks and its database server.`,
    );
  }
  return reasons.map(({ part }) => part).filter((part) => jids.has(part));
}

/** The loopback addresses of servers that listen at all addresses. */
const WILDCARD_HOSTS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Returns the address of a server with this config on this machine, without a reverse proxy. */
export function localTarget({ listen, tls }: Config): ProbeTarget {
  const unresolved = { address: undefined, localAddress: undefined };
  const [first] = listen;
  if (first && 'path' in first) {
    return { baseUrl: 'http://localhost', ...unresolved, socketPath: first.path };
  }
  const host = first?.host ?? '127.0.0.1';
  return {
    baseUrl: formatLocalBaseUrl(WILDCARD_HOSTS[host] ?? host, first?.port ?? 0, tls !== null),
    ...unresolved,
  };
}

/** Formats the address of a target for a message, such as `127.0.0.1:5050`. */
export function formatTarget({ socketPath, baseUrl }: ProbeTarget): string {
  return socketPath === undefined ? baseUrl.replace(/^https?:\/\//, '') : `the Unix socket ${socketPath}`;
}

/** Metrics of one component's stream. */
export interface StreamMetrics {
  readonly up: boolean;
  /** Seconds by which the XMPP server's clock is ahead; undefined if it does not answer XEP-0202. */
  readonly skewSeconds: number | undefined;
}

/** Returns stream metrics by JID, or undefined if `metrics.allow_from` does not allow this machine. */
export async function readStreamMetrics(
  { target }: RunningServer,
  config: Config,
): Promise<ReadonlyMap<string, StreamMetrics> | undefined> {
  const { status, body } = await sendProbe(target, config.metrics.path);
  if (status !== 200) return undefined;
  const text = body.toString();
  const skews = parseGauge(text, 'porter_stream_clock_skew_seconds');
  const ups = parseGauge(text, 'porter_stream_up');
  return new Map([...ups].map(([jid, up]) => [jid, { up: up === 1, skewSeconds: skews.get(jid) }]));
}

/** Reads a gauge with the label `jid` from the text format of Prometheus. */
function parseGauge(text: string, name: string): Map<string, number> {
  const lines = text.matchAll(new RegExp(`^${name}\\{jid="([^"]+)"\\} (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, jid = '', value]) => [jid, Number(value)]));
}
