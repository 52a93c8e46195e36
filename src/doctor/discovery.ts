import { DISCOVERY_QUERY } from '../http/files/echo-endpoint.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import type { ComponentDiscovery } from '../xmpp/component/discovery.ts';
import { describeDiscovery } from '../xmpp/component/discovery-report.ts';
import { sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import type { RunningServer } from './running-server.ts';

/** The server asks the XMPP server several times, and other servers too. */
const ANSWER_TIMEOUT_MS = 25_000;

/**
 * Asks the running server what its components find, because the XMPP server allows no second stream of a component. Returns undefined
 * if it does not tell.
 */
export async function fetchDiscovery(
  { target }: RunningServer,
  probeUploads: ProbeUploads,
): Promise<readonly ComponentDiscovery[] | undefined> {
  const { token, name } = await probeUploads.requestSlot({
    name: 'discovery.txt',
    size: 1,
    type: 'text/plain',
  });
  const { body } = await sendProbe(target, `${putUrl('', token, name)}?${DISCOVERY_QUERY}`, {
    idleTimeoutMs: ANSWER_TIMEOUT_MS,
  });
  try {
    const answer: unknown = JSON.parse(body.toString());
    return Array.isArray(answer) ? (answer as ComponentDiscovery[]) : undefined;
  } catch {
    // An answer of an older version.
    return undefined;
  }
}

/** Reports whether clients find the component. `found` is undefined if it could not be asked. */
export function reportDiscovery(
  report: DoctorReport,
  jid: string,
  found: ComponentDiscovery | undefined,
): void {
  const check = `discovery of ${jid}`;
  if (found === undefined) {
    report.skip(check, 'Not checked: the running server does not tell. If it was updated, restart it.');
    return;
  }
  for (const { state, text } of describeDiscovery(found)) report[state](check, text);
}
