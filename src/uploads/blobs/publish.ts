import { toSlotBlobKey } from '../../base/blob-keys.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { UnpublishedBlob } from '../../ledger/contract/ledger.ts';
import type { UploadServices } from '../services.ts';
import { deletePendingBlobs } from './delete-pending.ts';

/*
 * With `downloads.via: webserver` a link names the blob before any PUT has begun. Each PUT writes under a key that only it has;
 * the one that the ledger stores gets the public name afterwards:
 *
 *   bytes under the attempt key ── commit ──> stored, unpublished ── publish ──> stored ── 201
 *
 * A process that is killed between commit and publish leaves an unpublished blob. The next start, sweep or repeated PUT
 * publishes it.
 */

type PublishServices = Pick<UploadServices, 'ledger' | 'blobs'>;

const MAX_UNPUBLISHED = 10_000;

/** Returns the key that the file of an upload gets after its commit, or undefined if it keeps the key of its attempt. */
export function publicBlobKey(
  { blobs, rules }: Pick<UploadServices, 'blobs' | 'rules'>,
  { blob }: Pick<Upload, 'blob'>,
): string | undefined {
  const linksNameBlobs = rules().fileUrlBuilder !== undefined && blobs.publish !== undefined;
  return linksNameBlobs ? toSlotBlobKey(blob) : undefined;
}

/** Gives the file of a stored upload its public name. Returns false if the upload was removed meanwhile. */
export async function publishBlob(
  services: PublishServices,
  { id, blob, publicBlob }: UnpublishedBlob,
): Promise<boolean> {
  await services.blobs.publish?.(blob, publicBlob);
  if (await services.ledger.confirmPublished({ id, publicBlob })) return true;
  await deletePendingBlobs(services);
  return false;
}

/** Publishes the files of stored uploads whose process was killed before it could. Logs and skips those that cannot be published. */
export async function publishPendingBlobs(
  services: PublishServices & Partial<Pick<UploadServices, 'log'>>,
): Promise<void> {
  const { ledger, blobs, log } = services;
  if (blobs.publish === undefined) return;
  for (const unpublished of await ledger.unpublished(MAX_UNPUBLISHED)) {
    await publishBlob(services, unpublished).catch((err: unknown) => {
      log?.error({ err, id: unpublished.id }, 'a stored file cannot get its public name; run porter fsck');
    });
  }
}
