import type { BlobStore, OpenBlob } from '../../blobs/contract.ts';
import type { CopiedRow } from '../../ledger/contract/ledger.ts';
import type { MigrationContext, MigrationReport } from './prepare.ts';

/** Files that are copied at the same time. */
const AT_ONCE = 8;

/** The columns of an upload that a move looks at. */
export interface MigratedUpload {
  readonly id: string;
  readonly state: string;
  readonly blob: string;
  readonly size: number;
}

export const toMigratedUpload = (row: CopiedRow): MigratedUpload => row as unknown as MigratedUpload;

/** Copies the bytes of uploads, some at a time. Returns the ids of those that have no bytes any more. */
export async function copyFiles(
  deps: MigrationContext,
  rows: readonly MigratedUpload[],
  report: MigrationReport,
): Promise<Set<string>> {
  const lost = new Set<string>();
  const waiting = [...rows];
  const next = async () => {
    for (let row = waiting.shift(); row && !deps.signal.aborted; row = waiting.shift()) {
      const size = await copyFile(deps.source.blobs, deps.target.blobs, row.blob);
      if (size === undefined) lost.add(row.id);
      else {
        report.files += 1;
        report.bytes += size;
        if (size !== row.size) reportProblem(deps, report, row.id, 'wrong_size');
      }
    }
  };
  // All have ended before one failure ends the move.
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, next));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  deps.signal.throwIfAborted();
  return lost;
}

export function reportProblem(
  deps: MigrationContext,
  report: MigrationReport,
  id: string,
  kind: 'missing' | 'wrong_size',
): void {
  report.problems += 1;
  deps.observer.onProblem({ id, kind });
}

/** Its bytes, durable; undefined where there are none to copy. */
async function copyFile(from: BlobStore, to: BlobStore, key: string): Promise<number | undefined> {
  const blob = await from.open(key);
  if (!blob) return undefined;
  try {
    return await to.put(key, oneByOne(blob));
  } finally {
    await blob.close();
  }
}

async function* oneByOne(blob: OpenBlob): AsyncGenerator<readonly Uint8Array[]> {
  for await (const chunk of blob.read(0, blob.size)) yield [chunk];
}

/** Have both stores the same bytes under a key? */
export async function isSameBlob(from: BlobStore, to: BlobStore, key: string): Promise<boolean> {
  const [one, other] = await Promise.all([from.open(key), to.open(key)]);
  try {
    return one !== undefined && other !== undefined && one.size === other.size && (await isSame(one, other));
  } finally {
    await Promise.all([one?.close(), other?.close()]);
  }
}

/** The one's chunks as they come, the other's in ranges of the same length. */
async function isSame(one: OpenBlob, other: OpenBlob): Promise<boolean> {
  let rest: Uint8Array = new Uint8Array(0);
  const others = other.read(0, other.size)[Symbol.asyncIterator]();
  try {
    for await (const chunk of one.read(0, one.size)) {
      for (let at = 0; at < chunk.length; ) {
        if (rest.length === 0) rest = (await others.next()).value ?? new Uint8Array(0);
        const length = Math.min(rest.length, chunk.length - at);
        if (length === 0 || Buffer.compare(chunk.subarray(at, at + length), rest.subarray(0, length)) !== 0)
          return false;
        at += length;
        rest = rest.subarray(length);
      }
    }
    return true;
  } finally {
    await others.return?.();
  }
}
