import { DISCOVERY_QUERY } from '../http/files/echo-endpoint.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import type { ComponentDiscovery } from '../xmpp/component/discovery.ts';
import { describeDiscovery } from '../xmpp/component/discovery-report.ts';
import { sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import type { RunningServer } from './running-server.ts';

/** The running server sends several requests to the XMPP server and to other servers. */
const ANSWER_TIMEOUT_MS = 25_000;

/**
 * Requests the service discovery results of the components from the running server, because the XMPP server allows no second stream of a
 * component. Returns undefined if the answer does not contain them.
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
    // An older version of Porter sends another answer.
    return undefined;
  }
}

/** Reports whether clients find the component. `found`: undefined if the results are not known. */
export function reportDiscovery(
  report: DoctorReport,
  jid: string,
  found: ComponentDiscovery | undefined,
): void {
  const check = `discovery of ${jid}`;
  if (found === undefined) {
    report.skip(
      check,
      'Not checked: the running server has sent no results. If Porter was updated, restart it.',
    );
    return;
  }
  for (const { state, text } of describeDiscovery(found)) report[state](check, text);
}
