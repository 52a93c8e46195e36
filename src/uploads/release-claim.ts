import type { Upload } from '../base/upload-records.ts';
import { type ClaimParams, LedgerError } from '../ledger/contract/ledger.ts';
import { deletePendingBlobs } from './blobs/delete-pending.ts';
import type { UploadServices } from './services.ts';

type ReleaseServices = Pick<UploadServices, 'ledger' | 'blobs' | 'clock' | 'log' | 'metrics'>;

/** Milliseconds between attempts to release a claim: doubled from the first up to the largest. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
/** How often a claim of unknown outcome is looked for: for about an hour. */
const MAX_LOOKUPS = 66;

/**
 * Releases a claim so that the slot can be used again, and deletes the bytes of the attempt. While the ledger is
 * unreachable, keeps trying in the background: claims of a running process never time out.
 */
export async function releaseClaim(services: ReleaseServices, upload: Upload, token: string): Promise<void> {
  const { id, blob } = upload;
  await attemptUntilDone(services, { id }, async () => {
    await services.ledger.release({ id, token, now: services.clock(), blob });
    await deletePendingBlobs(services);
    return true;
  });
}

/** The change may have taken effect, or may take effect later: for instance while PostgreSQL waits for a standby. */
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
  const retry = (delayMs: number) => {
    const run = async () => {
      const isDone = await work().catch(() => false);
      if (!isDone) retry(Math.min(delayMs * 2, MAX_RETRY_MS));
    };
    setTimeout(() => void run(), delayMs).unref();
  };
  const isDone = await work().catch((err: unknown) => {
    log.error({ err, ...about }, 'cannot release the claim of an upload; trying again in the background');
    return false;
  });
  if (!isDone) retry(FIRST_RETRY_MS);
}
