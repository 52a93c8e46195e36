import type { Upload } from '../../base/upload-records.ts';
import type { BlobStore } from '../../blobs/contract.ts';
import type { Ledger } from '../../ledger/contract/ledger.ts';
import { publishPendingBlobs } from '../blobs/publish.ts';
import { iterateUploads } from '../list.ts';
import { copyBlob } from '../migrate-storage/copy-files.ts';

/** Files copied in parallel. */
const PARALLEL = 8;

export interface BackupContext {
  /** The stores of the running service. */
  readonly source: { readonly ledger: Ledger; readonly blobs: BlobStore };
  /** The copy of the ledger, and the store of the copied files. */
  readonly target: { readonly ledger: Ledger; readonly blobs: BlobStore };
  readonly clock: () => number;
  /** Called with an upload of the ledger whose file is missing or has another size. */
  readonly onProblem: (upload: Upload) => void;
  readonly onProgress: (report: BackupReport) => void;
}

export interface BackupReport {
  /** Copied files, and their bytes. */
  files: number;
  bytes: number;
  /** Uploads that were removed from the service after the ledger was copied. The backup does not have them. */
  removed: number;
  problems: number;
}

/**
 * Copies the file of every upload in the copied ledger. Afterwards the backup is complete: an upload that the service has removed
 * meanwhile is removed from the copied ledger too.
 */
export async function backUpFiles(context: BackupContext): Promise<BackupReport> {
  const report: BackupReport = { files: 0, bytes: 0, removed: 0, problems: 0 };
  let batch: Upload[] = [];
  const copyBatch = async () => {
    await Promise.all(batch.map((upload) => backUpFile(context, upload, report)));
    context.onProgress(report);
    batch = [];
  };
  for await (const upload of iterateUploads(context.target, { state: 'stored' })) {
    if (batch.push(upload) === PARALLEL) await copyBatch();
  }
  await copyBatch();
  return report;
}

async function backUpFile(context: BackupContext, upload: Upload, report: BackupReport): Promise<void> {
  const copied = await copyPublished(context, upload);
  if (copied === upload.size) {
    report.files += 1;
    report.bytes += copied;
    return;
  }
  if (await isStored(context, upload)) {
    report.problems += 1;
    context.onProblem(upload);
    return;
  }
  const { target, clock } = context;
  const detail = 'removed while the backup was made';
  await target.ledger.remove({ ids: [upload.id], reason: 'deleted', detail, now: clock() });
  report.removed += 1;
}

async function copyPublished(
  { source, target }: BackupContext,
  { blob }: Upload,
): Promise<number | undefined> {
  const size = await copyBlob(source.blobs, target.blobs, blob);
  if (size !== undefined) return size;
  // The upload was stored just now, and its file does not have its public name yet.
  await publishPendingBlobs(source);
  return await copyBlob(source.blobs, target.blobs, blob);
}

async function isStored({ source }: BackupContext, { id }: Upload): Promise<boolean> {
  return (await source.ledger.findExistingIds([id])).length > 0;
}
