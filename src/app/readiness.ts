import type { Relay } from '../base/relay.ts';
import type { Config } from '../config/load.ts';
import { createReadiness, type Readiness, type ReadyCheck } from '../http/readiness.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { streamsOf } from './duties.ts';

/** What `/readyz` asks: the stores, and the stream of every component, whichever process holds it. */
export function readinessOf(
  { ledger, blobs, log }: UploadDeps,
  config: Config,
  relay: Relay,
): () => Promise<Readiness> {
  const checkStream = async (jid: string) => {
    const state = (await streamsOf(relay)).find((component) => component.jid === jid);
    if (!state?.up) throw new Error(state?.lastError ?? 'not connected yet');
  };
  const checks: ReadyCheck[] = [
    {
      part: 'ledger',
      fault: 'The ledger does not answer.',
      check: async () => void (await ledger.known([''])),
    },
    { part: 'blobs', fault: 'The blobs cannot be written.', check: () => blobs.ready() },
    ...config.component.map(({ jid }) => ({
      part: jid,
      fault: 'The component stream is down.',
      check: () => checkStream(jid),
    })),
  ];
  return createReadiness(log, checks);
}
