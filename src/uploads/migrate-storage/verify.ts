import { idInBlobKey } from '../../base/blob-keys.ts';
import { formatCount } from '../../base/units.ts';
import type { RowKey } from '../../ledger/contract/ledger.ts';
import { isSameBlob } from '../compare-bytes.ts';
import { copyFiles, type MigratedUpload, toMigratedUpload } from './copy-files.ts';
import { type MigrationContext, MigrationError, type MigrationReport } from './prepare.ts';
import { ROWS_PER_RANGE } from './sync-table.ts';

const PAGE = 500;

/**
 * Checks that the target has the complete bytes of every stored upload. Lists the store once. If files are missing, checks
 * them one by one and copies them again.
 */
export async function verifyFiles(context: MigrationContext, report: MigrationReport): Promise<void> {
  if (context.sharedBlobs) return;
  const stored = await countStored(context);
  context.observer.onPass('verify', stored);
  if ((await countComplete(context, report)) < stored) await repair(context, report);
}

const countStored = ({ target }: MigrationContext) =>
  target.ledger.countRows({ table: 'uploads', state: 'stored' });

async function countComplete(context: MigrationContext, report: MigrationReport): Promise<number> {
  let complete = 0;
  let page: { key: string; size: number }[] = [];
  const checkPage = async () => {
    context.signal.throwIfAborted();
    const keys = page.map(({ key }) => [idInBlobKey(key)]);
    const rows = (await context.target.ledger.readRowsByKey({ table: 'uploads', keys })).map(
      toMigratedUpload,
    );
    const sizes = new Map(
      rows.filter(({ state }) => state === 'stored').map(({ blob, size }) => [blob, size]),
    );
    complete += page.filter(({ key, size }) => sizes.get(key) === size).length;
    context.observer.onProgress(complete, report.bytes);
    page = [];
  };
  for await (const blob of context.target.blobs.list()) {
    if (page.push(blob) === PAGE) await checkPage();
  }
  await checkPage();
  return complete;
}

/** Yields all stored uploads of the target, in ranges. */
async function* storedUploads({ target, signal }: MigrationContext): AsyncGenerator<MigratedUpload[]> {
  const table = 'uploads';
  for (let after: RowKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: RowKey | null = await target.ledger.findRangeEnd({ table, after, rows: ROWS_PER_RANGE });
    const rows = (await target.ledger.readRowRange({ table, after, upTo })).map(toMigratedUpload);
    yield rows.filter(({ state }) => state === 'stored');
    if (upTo === null) return;
    after = upTo;
  }
}

async function repair(context: MigrationContext, report: MigrationReport): Promise<void> {
  for await (const rows of storedUploads(context)) {
    const incomplete: MigratedUpload[] = [];
    for (const row of rows) {
      if ((await context.target.blobs.size(row.blob)) !== row.size) incomplete.push(row);
    }
    // Files that the source lacks too were reported when they were copied, or have been removed since.
    await copyFiles(context, incomplete, report);
  }
}

/** Compares every byte of source and target. Ignores files that were removed meanwhile. */
export async function compareAllFiles(context: MigrationContext, report: MigrationReport): Promise<void> {
  if (context.sharedBlobs) return;
  context.observer.onPass('compare', await countStored(context));
  let compared = 0;
  for await (const rows of storedUploads(context)) {
    for (const { id, blob } of rows) {
      context.signal.throwIfAborted();
      if (
        !(await isSameBlob(context.source.blobs, context.target.blobs, blob)) &&
        (await isStored(context, id))
      ) {
        throw new MigrationError(
          `The bytes of upload ${id} differ between the old and the new storage. Delete its blob from the new storage and run porter move again.`,
        );
      }
    }
    compared += rows.length;
    context.observer.onProgress(compared, report.bytes);
  }
}

async function isStored({ source }: MigrationContext, id: string): Promise<boolean> {
  const [row] = await source.ledger.readRowsByKey({ table: 'uploads', keys: [[id]] });
  return row?.state === 'stored' && (await source.blobs.size(toMigratedUpload(row).blob)) !== undefined;
}

/** Checks that the counters of every owner equal the sum of its uploads in the target. */
export async function verifyOwnerCounters({ target, signal }: MigrationContext): Promise<void> {
  for (let after: RowKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: RowKey | null = await target.ledger.findRangeEnd({
      table: 'owners',
      after,
      rows: ROWS_PER_RANGE,
    });
    const wrong = await target.ledger.findWrongCounters({ after, upTo });
    if (wrong.length > 0) {
      throw new MigrationError(
        `The counters of ${formatCount(wrong.length, 'owner')} are wrong, such as ${wrong[0]}. Run porter fsck --repair with the old config, then move again.`,
      );
    }
    if (upTo === null) return;
    after = upTo;
  }
}
