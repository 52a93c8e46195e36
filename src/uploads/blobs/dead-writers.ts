import { fileKeyOfThumbnail, idInBlobKey, writerTagInBlobKey } from '../../base/blob-keys.ts';
import type { UploadServices } from '../services.ts';
import { mayRemoveFiles } from '../store-identity/store-state.ts';
import { deletePendingBlobs } from './delete-pending.ts';

/*
 * A small file is written before its upload is stored (receive/store-directly.ts). If its process is killed in between, no row names it.
 * Its key has the tag of the process, which can store nothing more once it is a dead writer:
 *
 *   killed ── its heartbeat is removed ──> dead writer ── all files with its tag and no upload are deleted ──> dropped
 */

/** Files per look-up in the ledger. */
const BATCH = 500;

type DeadWriterServices = Pick<UploadServices, 'ledger' | 'blobs' | 'clock'> &
  Partial<Pick<UploadServices, 'log' | 'metrics'>>;

/** Deletes the files without an upload of processes that were killed. Reads the list of all files, but only after a kill. */
export async function deleteFilesOfDeadWriters(services: DeadWriterServices): Promise<void> {
  const { ledger, blobs, log } = services;
  const tags = await ledger.listDeadWriters();
  if (tags.length === 0 || !(await mayRemoveFiles(services))) return;
  const dead = new Set(tags);
  let deleted = 0;
  let batch: string[] = [];
  for await (const { key } of blobs.list((name) => dead.has(writerTagInBlobKey(name)))) {
    batch.push(key);
    if (batch.length < BATCH) continue;
    deleted += await deleteUnknown(services, batch);
    batch = [];
  }
  deleted += await deleteUnknown(services, batch);
  await ledger.dropDeadWriters(tags);
  log?.info(
    { processes: tags.length, files: deleted },
    'deleted the files that killed processes have left behind',
  );
}

async function deleteUnknown(services: DeadWriterServices, keys: readonly string[]): Promise<number> {
  const { ledger, clock } = services;
  // A thumbnail has the tag of the process that wrote its file.
  const fileKey = (key: string) => fileKeyOfThumbnail(key) ?? key;
  const known = new Set(
    await ledger.findKnownBlobs(keys.map((key) => ({ id: idInBlobKey(key), blob: fileKey(key) }))),
  );
  const unknown = keys.filter((key) => !known.has(fileKey(key)));
  // `release` makes a key that no upload has a pending delete.
  for (const blob of unknown) await ledger.release({ id: idInBlobKey(blob), token: '', now: clock(), blob });
  if (unknown.length > 0) await deletePendingBlobs(services);
  return unknown.length;
}
