import { type BlobStore, readBatches } from '../../blobs/contract.ts';
import type { CopiedRow } from '../../ledger/contract/ledger.ts';
import { publishPendingBlobs } from '../blobs/publish.ts';
import type { MigrationContext, MigrationReport } from './prepare.ts';

/** Files copied in parallel. */
const PARALLEL = 8;

/** The columns of an upload that a migration uses. */
export interface MigratedUpload {
  readonly id: string;
  readonly state: string;
  readonly blob: string;
  readonly size: number;
}

export const toMigratedUpload = (row: CopiedRow): MigratedUpload => row as unknown as MigratedUpload;

/** Copies the bytes of uploads. Returns the ids of those whose bytes are missing in the source. */
export async function copyFiles(
  context: MigrationContext,
  rows: readonly MigratedUpload[],
  report: MigrationReport,
): Promise<Set<string>> {
  const lost = new Set<string>();
  const waiting = [...rows];
  const next = async () => {
    for (let row = waiting.shift(); row && !context.signal.aborted; row = waiting.shift()) {
      const size = await copyUpload(context, row);
      if (size === undefined) lost.add(row.id);
      else {
        report.files += 1;
        report.bytes += size;
        if (size !== row.size) reportProblem(context, report, row.id, 'wrong_size');
      }
    }
  };
  // Waits for all of them before one failure ends the migration.
  const results = await Promise.allSettled(Array.from({ length: PARALLEL }, next));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  context.signal.throwIfAborted();
  return lost;
}

export function reportProblem(
  context: MigrationContext,
  report: MigrationReport,
  id: string,
  kind: 'missing' | 'wrong_size',
): void {
  report.problems += 1;
  context.observer.onProblem({ id, kind });
}

/** Returns the size of the copied file, or undefined if the source has lost it. */
async function copyUpload({ source, target }: MigrationContext, { blob }: MigratedUpload) {
  const size = await copyBlob(source.blobs, target.blobs, blob);
  if (size !== undefined) return size;
  // The upload was stored just now or by a killed process, and its file does not have its public name yet.
  await publishPendingBlobs(source);
  return await copyBlob(source.blobs, target.blobs, blob);
}

/** Returns the copied bytes once they are durable, or undefined if the source has no such blob. */
export async function copyBlob(from: BlobStore, to: BlobStore, key: string): Promise<number | undefined> {
  const blob = await from.open(key);
  if (!blob) return undefined;
  try {
    return await to.put(key, readBatches(blob));
  } finally {
    await blob.close();
  }
}
