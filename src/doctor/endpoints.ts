import type { Config } from '../config/load.ts';
import { sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import type { PublicEndpoint } from './reverse-proxy.ts';

/** Checks that remote clients can use neither the slot API nor the metrics. */
export async function checkRestrictedEndpoints(
  report: DoctorReport,
  config: Config,
  { target }: PublicEndpoint,
  clientAddressHidden: boolean,
): Promise<void> {
  if (config.slot_api) {
    // A request without parameters: allowed callers get 400, all others 403. No slot is granted.
    const { status } = await sendProbe(target, config.slot_api.path);
    if (status === 400 && clientAddressHidden) {
      report.fail(
        'slot API',
        'Everyone can use it: the web server forwards requests to it, and Porter sees the address of the web server ' +
          `instead of the client. Set X-Forwarded-For in the web server, set slot_api.token, or block ${config.slot_api.path} there.`,
      );
    } else {
      report.ok(
        'slot API',
        status === 400 ? 'It is open to this machine.' : 'It is closed to remote clients.',
      );
    }
  }
  const { status } = await sendProbe(target, config.metrics.path);
  if (status === 200 && clientAddressHidden) {
    report.warn(
      'metrics',
      'Everyone can read them, because Porter sees the address of the web server instead of the client. Set ' +
        'X-Forwarded-For in the web server.',
    );
  }
}

/**
 * Checks that requests reach the endpoints for links that an XMPP server signs. Porter refuses a PUT without a signature and adds CORS
 * headers, which an error page of the web server does not have.
 */
export async function checkSignedLinkEndpoints(
  report: DoctorReport,
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
    const check = `endpoint ${endpoint}`;
    if (status === expected && headers['access-control-allow-origin'] !== undefined) {
      report.ok(check, `Requests to ${target.baseUrl}${path} reach it.`);
    } else {
      report.fail(
        check,
        `A PUT below ${target.baseUrl}${path} was answered with ${status}, and not by Porter. The web server must ` +
          `forward ${path} to Porter.`,
      );
    }
  }
}

/**
 * Checks that requests reach the endpoints for messages and stanzas. Reports only a warning if not, because all senders may run on this
 * machine. Porter answers requests without credentials with 401 and a Bearer challenge.
 */
export async function checkMessageEndpoints(
  report: DoctorReport,
  { messages }: Config,
  { target }: PublicEndpoint,
): Promise<void> {
  if (messages === null) return;
  for (const path of [messages.path, messages.rest_path]) {
    const check = `messages at ${path}`;
    const { status, headers } = await sendProbe(target, path, { method: 'POST', body: Buffer.alloc(0) });
    if (status === 401 && headers['www-authenticate']?.includes('Bearer realm=')) {
      report.ok(check, `Requests to ${target.baseUrl}${path} reach it.`);
    } else {
      report.warn(
        check,
        `A POST to ${target.baseUrl}${path} was answered with ${status}, and not by Porter. The web server must ` +
          `forward ${path} to Porter if programs on other machines send messages.`,
      );
    }
  }
}
