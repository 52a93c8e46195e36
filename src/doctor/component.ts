import { formatPeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import { createClockSkewProbe } from '../xmpp/component/clock-skew.ts';
import { type ComponentConnectionOptions, openComponentConnection } from '../xmpp/component/connection.ts';
import { describeConnectionError } from '../xmpp/component/connection-errors.ts';
import type { DoctorReport } from './report.ts';
import { type RunningServer, readStreamMetrics } from './running-server.ts';

const LOGIN_MS = 12_000;
/** A server that knows the question answers within a moment. */
const TIME_MS = 2_000;
/** Servers tell whole seconds, and answers take their time. */
const NOTICEABLE_MS = 5_000;
const HARMFUL_MS = 30_000;

/**
 * Is every component let in? Where the running server holds the stream, its word counts: a second login would
 * only be refused. Elsewhere we log in ourselves and hear the reason.
 */
export async function checkComponents(
  notes: DoctorReport,
  config: Config,
  server: RunningServer | undefined,
  now: () => number,
): Promise<void> {
  const streams = server && (await readStreamMetrics(server, config).catch(() => undefined));
  for (const component of config.component) {
    const { jid } = component;
    const check = `component ${jid}`;
    const numbers = streams?.get(jid);
    if (streams && !numbers) {
      notes.fail(check, 'The running server was started without it: restart it.');
    } else if (server && !server.disconnectedComponents.has(jid)) {
      notes.ok(check, 'The running server is connected to the XMPP server.');
      reportClockSkew(
        notes,
        jid,
        numbers?.skewSeconds === undefined ? undefined : numbers.skewSeconds * 1000,
      );
    } else {
      await logIn(notes, check, component, server !== undefined, now);
    }
  }
}

async function logIn(
  notes: DoctorReport,
  check: string,
  target: ComponentConnectionOptions,
  serverRuns: boolean,
  now: () => number,
): Promise<void> {
  const answered = Promise.withResolvers<number | undefined>();
  const watch = createClockSkewProbe(target.jid, now, answered.resolve);
  try {
    const connection = await openComponentConnection(target, watch.handle, AbortSignal.timeout(LOGIN_MS));
    watch.start(connection);
    const late = setTimeout(() => answered.resolve(undefined), TIME_MS);
    const skew = await answered.promise;
    clearTimeout(late);
    await connection.close();
    const also = serverRuns
      ? ' The running server was not connected a moment ago; it tries again within a minute.'
      : '';
    notes.ok(check, `The XMPP server lets it in.${also}`);
    reportClockSkew(notes, target.jid, skew);
  } catch (fault) {
    const advice = describeConnectionError(fault, target);
    notes.fail(check, `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`);
  }
}

/** `skewMs`: by how much the XMPP server is ahead; undefined where it does not say. */
export function reportClockSkew(notes: DoctorReport, jid: string, skewMs: number | undefined): void {
  const check = `clock of the XMPP server (${jid})`;
  if (skewMs === undefined) {
    notes.skip(
      check,
      'Not compared: the server does not tell the time (XEP-0202; mod_time in Prosody and ejabberd).',
    );
    return;
  }
  const off = Math.abs(skewMs);
  if (off <= NOTICEABLE_MS) {
    notes.ok(check, 'It goes with ours.');
    return;
  }
  const text =
    `It is ${formatPeriod(off)} ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's: tokens and slots end too ` +
    'early or too late. Let both machines keep time (chrony, systemd-timesyncd).';
  if (off > HARMFUL_MS) notes.fail(check, text);
  else notes.warn(check, text);
}
