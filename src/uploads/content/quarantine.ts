import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { QuarantinedFile } from '../../ledger/contract/ledger.ts';
import { deletePendingBlobs } from '../blobs/delete-pending.ts';
import type { UploadServices } from '../services.ts';
import { readBlob } from './check-content.ts';

/** The use cases of infected files, for admins. */

const PAGE = 500;
const NOT_THERE = 'The quarantine has no file with this id, or its content is not kept.';

/** An infected file, and its bytes. */
export interface OpenQuarantined {
  readonly file: QuarantinedFile;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Opens an infected file for an admin who wants to examine it. Throws `Refusal` (`not_found`). */
export async function openQuarantined(
  { ledger, blobs }: Pick<UploadServices, 'ledger' | 'blobs'>,
  id: string,
): Promise<OpenQuarantined> {
  const [file] = await ledger.listQuarantine({ id, limit: 1 });
  if (!file || file.blob === null || (await blobs.size(file.blob)) === undefined) {
    throw new Refusal('not_found', { text: NOT_THERE });
  }
  return { file, bytes: readBlob(blobs, file.blob) };
}

/**
 * Stores an infected file under the link that its owner has, because an admin says that the scanner was wrong. Throws `Refusal`
 * (`not_found`, `file_blocked`).
 */
export async function releaseQuarantined(
  services: Pick<UploadServices, 'ledger' | 'clock' | 'fileCache' | 'log'>,
  id: string,
): Promise<Upload> {
  const { ledger, clock, fileCache, log } = services;
  const [file] = await ledger.listQuarantine({ id, limit: 1 });
  if (file?.sha256 && (await ledger.findBlockedHash(file.sha256))) {
    throw new Refusal('file_blocked', { text: 'The content of this file is blocked. Unblock it first.' });
  }
  const upload = await ledger.releaseQuarantined({ id, now: clock() });
  if (!upload) throw new Refusal('not_found', { text: NOT_THERE });
  fileCache.invalidate(upload.locator);
  log.info({ id, owner: upload.owner, signature: file?.signature }, 'upload released from the quarantine');
  return upload;
}

/** Yields all infected files, those found last first. */
export async function* iterateQuarantine({
  ledger,
}: Pick<UploadServices, 'ledger'>): AsyncGenerator<QuarantinedFile, void> {
  for (let last: QuarantinedFile | undefined; ; ) {
    const page = await ledger.listQuarantine({ limit: PAGE, ...(last && { before: last }) });
    yield* page;
    last = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/** Deletes infected files with their records. Ignores unknown ids. Returns the number of deleted files. */
export async function deleteQuarantined(
  services: Parameters<typeof deletePendingBlobs>[0],
  ids: readonly string[],
): Promise<number> {
  const deleted = await services.ledger.deleteQuarantined({ ids, limit: ids.length });
  await deletePendingBlobs(services);
  return deleted;
}
