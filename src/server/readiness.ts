import type { Relay } from '../cluster/relay.ts';
import type { Config } from '../config/load.ts';
import { createReadiness, type Readiness, type ReadinessCheck } from '../http/listener/readiness.ts';
import type { UploadServices } from '../uploads/services.ts';
import { fetchStreamStatuses } from './leader-tasks.ts';

/** What `/readyz` asks: the stores, and the stream of every component, whichever process holds it. */
export function createServerReadiness(
  { ledger, blobs, log }: UploadServices,
  config: Config,
  relay: Relay,
): () => Promise<Readiness> {
  const checkStream = async (jid: string) => {
    const state = (await fetchStreamStatuses(relay)).find((component) => component.jid === jid);
    if (!state?.up) throw new Error(state?.lastError ?? 'not connected yet');
  };
  const checks: ReadinessCheck[] = [
    {
      part: 'ledger',
      failureText: 'The ledger does not answer.',
      check: async () => void (await ledger.findExistingIds([''])),
    },
    { part: 'blobs', failureText: 'The blobs cannot be written.', check: () => blobs.checkWritable() },
    ...config.component.map(({ jid }) => ({
      part: jid,
      failureText: 'The component stream is down.',
      check: () => checkStream(jid),
    })),
  ];
  return createReadiness(log, checks);
}
