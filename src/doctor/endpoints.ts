import type { Config } from '../config/load.ts';
import { sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import type { PublicEndpoint } from './reverse-proxy.ts';

/** Is the slot API, or are the metrics, open to those who come through the front? */
export async function checkRestrictedEndpoints(
  notes: DoctorReport,
  config: Config,
  { target }: PublicEndpoint,
  hidden: boolean,
): Promise<void> {
  if (config.slot_api) {
    // Without parameters: who may call is told that they are missing, and nothing is granted.
    const { status } = await sendProbe(target, config.slot_api.path);
    if (status === 400 && hidden) {
      notes.fail(
        'slot API',
        'It is open to strangers: the web server takes their requests to it, and Porter takes the web server for the ' +
          `caller. Set X-Forwarded-For there, set slot_api.token, or keep ${config.slot_api.path} from the outside.`,
      );
    } else
      notes.ok('slot API', status === 400 ? 'It is open to this machine.' : 'It is closed to strangers.');
  }
  const { status } = await sendProbe(target, config.metrics.path);
  if (status === 200 && hidden) {
    notes.warn('metrics', 'Everybody can read them, because Porter takes the web server for the reader.');
  }
}

/** Do requests get to the doors whose links an XMPP server makes? Without a signature Porter says no, and how. */
export async function checkSignedLinkEndpoints(
  notes: DoctorReport,
  config: Config,
  { target }: PublicEndpoint,
): Promise<void> {
  const endpoints = [
    ['external', config.external?.path, 403],
    ['file_share', config.file_share?.path, 401],
  ] as const;
  for (const [endpoint, path, expected] of endpoints) {
    if (path === undefined) continue;
    const { status, headers } = await sendProbe(target, `${path}porter-doctor/trial.txt`, {
      method: 'PUT',
      body: Buffer.from('x'),
    });
    if (status === expected && headers['access-control-allow-origin'] !== undefined) {
      notes.ok(`door ${endpoint}`, `${target.baseUrl}${path} leads to it.`);
    } else {
      notes.fail(
        `door ${endpoint}`,
        `A PUT below ${target.baseUrl}${path} was answered ${status}, not by Porter: the web server must pass ${path} on.`,
      );
    }
  }
}

/**
 * Do requests get to where messages and stanzas are posted? They need not: who posts may all be on this machine.
 * Nobody without credentials is let in, and Porter says so in its own way.
 */
export async function checkMessageEndpoints(
  notes: DoctorReport,
  { messages }: Config,
  { target }: PublicEndpoint,
): Promise<void> {
  if (messages === null) return;
  for (const path of [messages.path, messages.rest_path]) {
    const check = `messages at ${path}`;
    const { status, headers } = await sendProbe(target, path, { method: 'POST', body: Buffer.alloc(0) });
    if (status === 401 && headers['www-authenticate']?.includes('Bearer realm=')) {
      notes.ok(check, `${target.baseUrl}${path} leads there.`);
    } else {
      notes.warn(
        check,
        `A POST to ${target.baseUrl}${path} was answered ${status}, not by Porter: the web server must pass ${path} on ` +
          'if others than programs of this machine are to post there.',
      );
    }
  }
}
