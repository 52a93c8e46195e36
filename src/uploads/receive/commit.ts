import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import { publicBlobKey, publishBlob } from '../blobs/publish.ts';
import { type CheckServices, checkContent } from '../content/check-content.ts';
import type { UploadServices } from '../services.ts';

/**
 * Checks the content of the file, and makes it downloadable. `sha256`: the hash of its bytes, if it was computed while they arrived.
 * If the ledger fails during the commit, asks it for the outcome. Never removes bytes, because they may belong to a stored upload.
 * The ledger decides that in the release that follows a failure.
 */
export async function commit(
  services: CheckServices,
  upload: Upload,
  token: string,
  { size, sha256 }: { readonly size: number; readonly sha256?: string | undefined },
): Promise<Upload> {
  const { ledger, clock } = services;
  const { id, blob, locator } = upload;
  const content = await checkContent(services, {
    upload: { ...upload, size },
    holds: { claim: token },
    sha256,
  });
  const now = clock();
  const publicBlob = publicBlobKey(services, upload);
  const order = {
    ...{ id, token, now, size, blob },
    ...(publicBlob !== undefined && { publicBlob }),
    ...(content && { content }),
  };
  const committed = await ledger.commit(order).catch(async (failure) => {
    if (await isStoredBy(services, upload)) return true;
    throw failure;
  });
  if (!committed) {
    const row = await ledger.find(locator);
    throw new Refusal(row?.id === id ? 'being_uploaded' : 'slot_unknown');
  }
  return await finishStored(services, { ...upload, size }, now);
}

/** Returns the upload after the ledger has stored the file of this attempt. Its file has its public name by then. */
export async function finishStored(
  services: Pick<UploadServices, 'ledger' | 'blobs' | 'rules'>,
  attempt: Upload,
  storedAt: number,
): Promise<Upload> {
  const { id, blob } = attempt;
  const publicBlob = publicBlobKey(services, attempt);
  if (publicBlob !== undefined && !(await publishBlob(services, { id, blob, publicBlob }))) {
    throw new Refusal('slot_unknown');
  }
  return { ...attempt, state: 'stored', storedAt, blob: publicBlob ?? blob };
}

/** Counts and logs a stored upload. `start`: of its PUT, by `performance.now()`. */
export function reportStored(
  { metrics, log }: Pick<UploadServices, 'metrics' | 'log'>,
  { id, owner, endpoint, size }: Upload,
  start: number,
): void {
  const ms = performance.now() - start;
  metrics.uploadStored(endpoint, size, ms);
  // Test uploads of porter doctor are logged at a lower level, because a monitor may run it every minute.
  const level = endpoint === 'admin' ? 'debug' : 'info';
  log[level]({ id, owner, endpoint, size, ms: Math.round(ms) }, 'upload stored');
}

/** Returns true if the ledger has stored the bytes of this attempt. */
export async function isStoredBy(
  { ledger }: Pick<UploadServices, 'ledger'>,
  attempt: Upload,
): Promise<boolean> {
  const row = await ledger.find(attempt.locator);
  if (row?.id !== attempt.id || row.state !== 'stored') return false;
  return row.blob === attempt.blob || row.unpublishedBlob === attempt.blob;
}
