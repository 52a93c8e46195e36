import { Refusal } from '../../../base/errors.ts';
import type { UploadServices } from '../../services.ts';
import type { UploadBody } from '../../upload-request.ts';

/** Interval at which the ledger is asked whether another request waits. */
const POLL_MS = 1000;
/** Less than the time after which another process may take the claim over (`HEARTBEAT_TIMEOUT_MS`). */
const LEASE_MS = 30_000;

/** The claim of one request on a resumable upload. */
export interface ClaimLease {
  /**
   * Passes batches on while the claim is certain. A process that was frozen asks the ledger first, because another one may write to
   * the same file by now.
   */
  guard(batches: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<readonly Uint8Array[], void>;
  /** Records durable bytes. Throws if the claim is gone. */
  record(received: number, deadline: number): Promise<void>;
  end(): void;
}

/** Watches a claim. Ends `body` if another request waits for the claim, or if the claim is gone. */
export function openClaimLease(
  { ledger }: Pick<UploadServices, 'ledger'>,
  claim: { readonly id: string; readonly token: string },
  body: UploadBody,
): ClaimLease {
  let confirmedAt = performance.now();
  let isLost = false;

  function apply(state: 'continue' | 'stop' | 'lost'): void {
    confirmedAt = performance.now();
    if (state === 'continue') return;
    isLost ||= state === 'lost';
    body.abort(takenOver());
  }

  async function confirm(): Promise<void> {
    apply(await ledger.appendState(claim));
    if (isLost) throw takenOver();
  }

  // If the ledger fails, the claim is not confirmed, and `guard` asks again before it passes bytes on.
  const timer = setInterval(() => void confirm().catch(() => undefined), POLL_MS);

  return {
    async *guard(batches) {
      for await (const batch of batches) {
        if (isLost || performance.now() - confirmedAt > LEASE_MS) await confirm();
        yield batch;
      }
    },
    async record(received, deadline) {
      apply(await ledger.recordReceived({ ...claim, received, deadline }));
      if (isLost) throw takenOver();
    },
    end: () => clearInterval(timer),
  };
}

export const takenOver = () =>
  new Refusal('being_uploaded', { text: 'A newer request has taken over this upload.' });
