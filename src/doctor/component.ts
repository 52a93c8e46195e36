import type { Element } from '@xmpp/xml';
import { formatPeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import { userDomainsOf } from '../config/user-domains.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { createClockSkewProbe } from '../xmpp/component/clock-skew.ts';
import {
  type ComponentConnection,
  type ComponentConnectionOptions,
  openComponentConnection,
} from '../xmpp/component/connection.ts';
import { describeConnectionError } from '../xmpp/component/connection-errors.ts';
import { createServiceDiscovery } from '../xmpp/component/discovery.ts';
import { fetchDiscovery, reportDiscovery } from './discovery.ts';
import type { DoctorReport } from './report.ts';
import { type RunningServer, readStreamMetrics } from './running-server.ts';

const LOGIN_TIMEOUT_MS = 12_000;
/** A server answers a time query at once, also with an error, unless it is very busy. */
const TIME_TIMEOUT_MS = 10_000;
/** The XEP-0202 answers of common servers have whole seconds, and need some time. */
const NOTICEABLE_SKEW_MS = 5_000;
const HARMFUL_SKEW_MS = 30_000;

export interface ComponentCheckOptions {
  readonly config: Config;
  /** Undefined if no server runs. */
  readonly server: RunningServer | undefined;
  /** Undefined if the stores cannot be opened. */
  readonly probeUploads: ProbeUploads | undefined;
  readonly now: () => number;
}

/**
 * Checks that the XMPP server accepts every component, that clients find it, and that the clocks agree. Gets this from the running
 * server if it is connected, because the XMPP server would refuse a second login. Otherwise logs in itself to get the error.
 */
export async function checkComponents(report: DoctorReport, options: ComponentCheckOptions): Promise<void> {
  const { config, server, probeUploads } = options;
  const streams = server && (await readStreamMetrics(server, config).catch(() => undefined));
  const isConnected = ({ jid }: { jid: string }) => server && !server.disconnectedComponents.has(jid);
  const discoveries =
    server && probeUploads && config.component.some(isConnected)
      ? await fetchDiscovery(server, probeUploads).catch(() => undefined)
      : undefined;
  for (const component of config.component) {
    const { jid } = component;
    const check = `component ${jid}`;
    const stream = streams?.get(jid);
    if (streams && !stream) {
      report.fail(check, 'The running server does not have this component in its config. Restart it.');
    } else if (isConnected(component)) {
      report.ok(check, 'The running server is connected to the XMPP server.');
      const found = discoveries?.find((discovery) => discovery.jid === jid);
      reportDiscovery(report, jid, found);
      const skew = stream?.skewSeconds;
      reportClockSkew(report, jid, skew === undefined ? undefined : skew * 1000);
    } else {
      await checkLogin(report, check, component, options);
    }
  }
}

async function checkLogin(
  report: DoctorReport,
  check: string,
  component: ComponentConnectionOptions,
  { config, server, now }: ComponentCheckOptions,
): Promise<void> {
  const { jid } = component;
  const skew = Promise.withResolvers<number | undefined>();
  const skewProbe = createClockSkewProbe(jid, now, skew.resolve, () => skew.resolve(undefined));
  const discovery = createServiceDiscovery(config.component.map((one) => one.jid));
  try {
    const signal = AbortSignal.timeout(LOGIN_TIMEOUT_MS);
    const onStanza = (stanza: Element) => void (skewProbe.handle(stanza) || discovery.handle(stanza));
    const connection = await openComponentConnection(component, onStanza, signal);
    void connection.ended.then(() => discovery.stop());
    skewProbe.start(connection);
    const [found, skewMs] = await askServer(
      connection,
      () => discovery.discover(jid, connection, userDomainsOf(jid, config)),
      skew,
    );
    const note = server
      ? ' The running server was not connected a moment ago; it tries again within a minute.'
      : '';
    report.ok(check, `The XMPP server accepts the login.${note}`);
    reportDiscovery(report, jid, found);
    reportClockSkew(report, jid, skewMs);
  } catch (error) {
    const advice = describeConnectionError(error, component);
    report.fail(check, `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`);
  }
}

/** Waits for both answers, and closes the connection. A server without XEP-0202 leaves the clock skew undefined. */
async function askServer<Found>(
  connection: Pick<ComponentConnection, 'close'>,
  discover: () => Promise<Found>,
  skew: PromiseWithResolvers<number | undefined>,
): Promise<[found: Found, skewMs: number | undefined]> {
  const timer = setTimeout(() => skew.resolve(undefined), TIME_TIMEOUT_MS);
  try {
    return await Promise.all([discover(), skew.promise]);
  } finally {
    clearTimeout(timer);
    await connection.close();
  }
}

/** Reports the clock skew. `skewMs`: milliseconds by which the XMPP server is ahead; undefined if it does not answer XEP-0202. */
export function reportClockSkew(report: DoctorReport, jid: string, skewMs: number | undefined): void {
  const check = `clock of the XMPP server (${jid})`;
  if (skewMs === undefined) {
    report.skip(
      check,
      'Not compared: the server does not answer time requests (XEP-0202). Enable mod_time in Prosody or ejabberd.',
    );
    return;
  }
  const absoluteMs = Math.abs(skewMs);
  if (absoluteMs <= NOTICEABLE_SKEW_MS) {
    report.ok(check, "It agrees with this machine's clock.");
    return;
  }
  const text =
    `It is ${formatPeriod(absoluteMs)} ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's clock: tokens and slots ` +
    'expire too early or too late. Synchronise both clocks (chrony, systemd-timesyncd).';
  if (absoluteMs > HARMFUL_SKEW_MS) report.fail(check, text);
  else report.warn(check, text);
}
