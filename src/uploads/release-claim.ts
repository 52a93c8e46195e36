import { backoffMs } from '../base/backoff.ts';
import type { Upload } from '../base/upload-records.ts';
import { type ClaimParams, LedgerError, type ReceivedParams } from '../ledger/contract/ledger.ts';
import type { UploadServices } from './services.ts';

type ReleaseServices = Pick<UploadServices, 'ledger' | 'clock' | 'log' | 'blobDeleter'>;

/** Maximum number of look-ups of a claim whose outcome is unknown. With their pauses, they take about an hour. */
const MAX_LOOKUPS = 66;

/**
 * Releases a claim so that the slot can be used again. The bytes of the attempt are deleted in the background. While the ledger is
 * unreachable, keeps trying in the background: claims of a running process never time out.
 */
export async function releaseClaim(services: ReleaseServices, upload: Upload, token: string): Promise<void> {
  const { id, blob } = upload;
  await attemptUntilDone(services, { id }, async () => {
    await services.ledger.release({ id, token, now: services.clock(), blob });
    services.blobDeleter.wake();
    return true;
  });
}

/** Releases the claim of a request on a resumable upload, and keeps its bytes. Keeps trying like `releaseClaim`. */
export async function pauseClaim(services: ReleaseServices, params: ReceivedParams): Promise<void> {
  await attemptUntilDone(services, { id: params.id }, async () => {
    await services.ledger.pause(params);
    return true;
  });
}

/** Returns whether a change may have taken effect, or may take effect later: for instance while PostgreSQL waits for a standby. */
export const isUnknownOutcome = (error: unknown): boolean =>
  error instanceof LedgerError && error.kind === 'unknown_outcome';

/**
 * Releases a claim that may or may not have taken effect. If it is not found, keeps looking for it in the background, because
 * its transaction may still be running. No bytes were written for it.
 */
export async function releaseUnknownClaim(
  services: ReleaseServices,
  { by, token }: Pick<ClaimParams, 'by' | 'token'>,
): Promise<void> {
  const { ledger, clock } = services;
  let lookups = 0;
  await attemptUntilDone(services, {}, async () => {
    lookups += 1;
    return (await ledger.releaseByToken({ by, token, now: clock() })) || lookups >= MAX_LOOKUPS;
  });
}

/** Resolves after the first attempt. Repeats it in the background until it returns true. */
async function attemptUntilDone(
  { log }: Pick<UploadServices, 'log'>,
  about: object,
  work: () => Promise<boolean>,
): Promise<void> {
  const retry = (failures: number) => {
    const run = async () => {
      const isDone = await work().catch(() => false);
      if (!isDone) retry(failures + 1);
    };
    setTimeout(() => void run(), backoffMs(failures)).unref();
  };
  const isDone = await work().catch((err: unknown) => {
    log.error({ err, ...about }, 'cannot release the claim of an upload; trying again in the background');
    return false;
  });
  if (!isDone) retry(0);
}
