import type { Config } from '../config/load.ts';
import { formatLocalBaseUrl, type ProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { blobsAdvice } from './storage.ts';

/** What the running server says of itself. */
export interface RunningServer {
  /** How it is reached on this machine, past whatever stands in front. */
  readonly target: ProbeTarget;
  /** JIDs of components whose stream is down, by its own word. */
  readonly disconnectedComponents: ReadonlySet<string>;
}

interface ReadyAnswer {
  readonly ready: boolean;
  readonly reasons: readonly { readonly part: string; readonly reason: string }[];
}

/** Asks the server where the config says that it listens; undefined where nobody answers. */
export async function checkRunningServer(
  notes: DoctorReport,
  config: Config,
): Promise<RunningServer | undefined> {
  const target = localWay(config);
  const place = placeOf(config);
  try {
    const { status, body } = await sendProbe(target, '/readyz');
    const answer = readAnswer(body);
    if (answer === undefined) {
      notes.fail(
        'server',
        `Another program answers at ${place} (status ${status}): change \`listen\`, or end it.`,
      );
      return undefined;
    }
    notes.ok('server', `It runs and answers at ${place}.`);
    return { target, disconnectedComponents: new Set(tellReasons(notes, config, answer)) };
  } catch (fault) {
    const why = shortErrorReason(fault);
    const advice = 'is porter serve running, with this config file?';
    notes.fail('server', `Nobody answers at ${place} (${why}): ${advice}`);
    return undefined;
  }
}

function readAnswer(body: Buffer): ReadyAnswer | undefined {
  try {
    const answer = JSON.parse(body.toString()) as Partial<ReadyAnswer>;
    return typeof answer.ready === 'boolean' && Array.isArray(answer.reasons)
      ? (answer as ReadyAnswer)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Tells what the server cannot do, and returns the JIDs of streams that are down. */
function tellReasons(notes: DoctorReport, config: Config, { reasons }: ReadyAnswer): string[] {
  const jids = new Set(config.component.map(({ jid }) => jid));
  for (const { part, reason } of reasons) {
    if (jids.has(part)) continue;
    const advice = part === 'blobs' ? ` ${blobsAdvice(config)}` : '';
    notes.fail(`server: ${part}`, `The running server says: ${reason}${advice}`);
  }
  return reasons.map(({ part }) => part).filter((part) => jids.has(part));
}

/** Every address of the machine includes the loopback. */
const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function localWay({ listen, tls }: Config): ProbeTarget {
  const unknown = { address: undefined, localAddress: undefined };
  const [first] = listen;
  if (first && 'path' in first) return { baseUrl: 'http://localhost', ...unknown, socketPath: first.path };
  const host = first?.host ?? '127.0.0.1';
  return { baseUrl: formatLocalBaseUrl(ANY[host] ?? host, first?.port ?? 0, tls !== null), ...unknown };
}

function placeOf(config: Config): string {
  const { socketPath, baseUrl } = localWay(config);
  return socketPath === undefined ? baseUrl.replace(/^https?:\/\//, '') : 'its Unix socket';
}

/** What the running server counts of one component's stream. */
export interface StreamMetrics {
  readonly up: boolean;
  /** Seconds by which the XMPP server's clock is ahead; undefined where it does not tell the time. */
  readonly skewSeconds: number | undefined;
}

/** By JID. Undefined where the numbers may not be read from here. */
export async function readStreamMetrics(
  { target }: RunningServer,
  config: Config,
): Promise<ReadonlyMap<string, StreamMetrics> | undefined> {
  const { status, body } = await sendProbe(target, config.metrics.path);
  if (status !== 200) return undefined;
  const text = body.toString();
  const skews = gauge(text, 'porter_stream_clock_skew_seconds');
  const ups = gauge(text, 'porter_stream_up');
  return new Map([...ups].map(([jid, up]) => [jid, { up: up === 1, skewSeconds: skews.get(jid) }]));
}

function gauge(text: string, name: string): Map<string, number> {
  const lines = text.matchAll(new RegExp(`^${name}\\{jid="([^"]+)"\\} (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, jid = '', value]) => [jid, Number(value)]));
}
