import { formatPeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import { createClockSkewProbe } from '../xmpp/component/clock-skew.ts';
import { type ComponentConnectionOptions, openComponentConnection } from '../xmpp/component/connection.ts';
import { describeConnectionError } from '../xmpp/component/connection-errors.ts';
import type { DoctorReport } from './report.ts';
import { type RunningServer, readStreamMetrics } from './running-server.ts';

const LOGIN_TIMEOUT_MS = 12_000;
/** A server with XEP-0202 answers at once. */
const TIME_TIMEOUT_MS = 2_000;
/** XEP-0202 answers of common servers have whole seconds, and the answer takes some time. */
const NOTICEABLE_SKEW_MS = 5_000;
const HARMFUL_SKEW_MS = 30_000;

/**
 * Checks that the XMPP server accepts every component. If the running server is connected, its metrics are used: the
 * XMPP server would refuse a second login. Otherwise the doctor logs in itself to get the error.
 */
export async function checkComponents(
  report: DoctorReport,
  config: Config,
  server: RunningServer | undefined,
  now: () => number,
): Promise<void> {
  const streams = server && (await readStreamMetrics(server, config).catch(() => undefined));
  for (const component of config.component) {
    const { jid } = component;
    const check = `component ${jid}`;
    const stream = streams?.get(jid);
    if (streams && !stream) {
      report.fail(check, 'The running server does not have this component in its config. Restart it.');
    } else if (server && !server.disconnectedComponents.has(jid)) {
      report.ok(check, 'The running server is connected to the XMPP server.');
      const skew = stream?.skewSeconds;
      reportClockSkew(report, jid, skew === undefined ? undefined : skew * 1000);
    } else {
      await checkLogin(report, check, component, server !== undefined, now);
    }
  }
}

async function checkLogin(
  report: DoctorReport,
  check: string,
  component: ComponentConnectionOptions,
  serverRuns: boolean,
  now: () => number,
): Promise<void> {
  const skew = Promise.withResolvers<number | undefined>();
  const skewProbe = createClockSkewProbe(component.jid, now, skew.resolve);
  try {
    const signal = AbortSignal.timeout(LOGIN_TIMEOUT_MS);
    const connection = await openComponentConnection(component, skewProbe.handle, signal);
    skewProbe.start(connection);
    const timer = setTimeout(() => skew.resolve(undefined), TIME_TIMEOUT_MS);
    const skewMs = await skew.promise;
    clearTimeout(timer);
    await connection.close();
    const note = serverRuns
      ? ' The running server was not connected a moment ago; it tries again within a minute.'
      : '';
    report.ok(check, `The XMPP server accepts the login.${note}`);
    reportClockSkew(report, component.jid, skewMs);
  } catch (error) {
    const advice = describeConnectionError(error, component);
    report.fail(check, `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`);
  }
}

/** `skewMs`: milliseconds by which the XMPP server's clock is ahead; undefined if it does not answer XEP-0202. */
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
