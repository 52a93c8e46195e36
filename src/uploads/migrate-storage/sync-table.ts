import { formatCount } from '../../base/units.ts';
import {
  type CopiedRow,
  type CopiedTable,
  type RowKey,
  type RowRange,
  rowKey,
} from '../../ledger/contract/ledger.ts';
import { copyFiles, type MigratedUpload, reportProblem, toMigratedUpload } from './copy-files.ts';
import { type MigrationContext, MigrationError, type MigrationReport } from './prepare.ts';

/** Rows compared at a time. */
export const ROWS_PER_RANGE = 1000;
/** After this many uploads or bytes, copied uploads are written to the ledger. If the process is killed, only these are copied again. */
const BATCH = 100;
const BATCH_BYTES = 64 * 1024 * 1024;

export interface SyncTableOptions {
  /** True if the source no longer changes. Then both must be equal afterwards. */
  readonly exact: boolean;
  /** Called with the number of rows of each range. */
  readonly onRows?: (rows: number) => void;
}

/**
 * Makes a table of the target equal to the source, range by range. Skips ranges with equal digests, so that repeated runs
 * only cost the differences. Returns the number of rows written or deleted.
 */
export async function syncTable(
  context: MigrationContext,
  table: CopiedTable,
  report: MigrationReport,
  { exact, onRows }: SyncTableOptions,
): Promise<number> {
  let changed = 0;
  for (let after: RowKey | null = null; ; ) {
    context.signal.throwIfAborted();
    const upTo: RowKey | null = await context.source.ledger.findRangeEnd({
      table,
      after,
      rows: ROWS_PER_RANGE,
    });
    const range = { table, after, upTo };
    const digests = await readDigests(context, range);
    if (!isEqual(digests)) changed += await syncRange(context, range, report);
    if (exact && !isEqual(digests)) await assertArrived(context, range);
    onRows?.(Number(digests[0].split(':', 1)[0]));
    if (upTo === null) break;
    after = upTo;
  }
  if (exact) changed += await deleteSurplus(context, table);
  report.rows += changed;
  return changed;
}

type Digests = readonly [string, string];
const isEqual = ([source, target]: Digests) => source === target;

async function readDigests({ source, target }: MigrationContext, range: RowRange): Promise<Digests> {
  return await Promise.all([source.ledger.rangeDigest(range), target.ledger.rangeDigest(range)]);
}

/** Digests may still differ because databases sort text differently, so this compares the rows themselves. */
async function assertArrived(context: MigrationContext, range: RowRange): Promise<void> {
  if (isEqual(await readDigests(context, range))) return;
  const { changed } = await compare(context, range.table, await context.source.ledger.readRowRange(range));
  if (changed.length > 0)
    throw new MigrationError(
      `${formatCount(changed.length, 'row')} of ${range.table} ${changed.length === 1 ? 'is' : 'are'} missing in the new storage. Run porter move again.`,
    );
}

/** Makes one range of the target equal to the source. Returns the number of rows written or deleted. */
async function syncRange(
  context: MigrationContext,
  range: RowRange,
  report: MigrationReport,
): Promise<number> {
  const { table } = range;
  const rows = await context.source.ledger.readRowRange(range);
  const { changed, targetRows } = await compare(context, table, rows);
  const deleted = await deleteUnknownRows(context, table, await context.target.ledger.readRowRange(range));
  if (table === 'uploads') await copyUploads(context, changed, targetRows, report);
  else if (changed.length > 0) await context.target.ledger.upsertRows({ table, rows: changed });
  return changed.length + deleted;
}

const toMapKey = (key: RowKey) => JSON.stringify(key);

/** Returns the rows that are different or missing in the target, and the target's rows by key. */
async function compare({ target }: MigrationContext, table: CopiedTable, rows: readonly CopiedRow[]) {
  const keys = rows.map((row) => rowKey(table, row));
  const found = await target.ledger.readRowsByKey({ table, keys });
  const targetRows = new Map(found.map((row) => [toMapKey(rowKey(table, row)), row]));
  const changed = rows.filter((row) => {
    const other = targetRows.get(toMapKey(rowKey(table, row)));
    return other === undefined || Object.entries(row).some(([column, value]) => other[column] !== value);
  });
  return { changed, targetRows };
}

/** Deletes those of the given target rows that the source does not have. */
async function deleteUnknownRows(
  { source, target }: MigrationContext,
  table: CopiedTable,
  rows: readonly CopiedRow[],
): Promise<number> {
  // The target has its own pending deletes, and deletes their blobs itself.
  if (rows.length === 0 || table === 'pending_deletes') return 0;
  const keys = rows.map((row) => rowKey(table, row));
  const known = await source.ledger.readRowsByKey({ table, keys });
  const knownKeys = new Set(known.map((row) => toMapKey(rowKey(table, row))));
  const others = keys.filter((key) => !knownKeys.has(toMapKey(key)));
  if (others.length > 0) await target.ledger.deleteRows({ table, keys: others });
  return others.length;
}

/** Deletes rows that only the target has, also those that its sort order puts into another range. */
async function deleteSurplus(context: MigrationContext, table: CopiedTable): Promise<number> {
  const { source, target } = context;
  if (table === 'pending_deletes') return 0;
  const counts = () => Promise.all([source.ledger.countRows({ table }), target.ledger.countRows({ table })]);
  const [sourceCount, targetCount] = await counts();
  if (sourceCount === targetCount) return 0;
  let deleted = 0;
  for (let after: RowKey | null = null; ; ) {
    const upTo: RowKey | null = await target.ledger.findRangeEnd({ table, after, rows: ROWS_PER_RANGE });
    deleted += await deleteUnknownRows(
      context,
      table,
      await target.ledger.readRowRange({ table, after, upTo }),
    );
    if (upTo === null) break;
    after = upTo;
  }
  const [rows, arrived] = await counts();
  if (rows === arrived) return deleted;
  throw new MigrationError(
    `The old storage has ${formatCount(rows, 'row')} of ${table}, the new one ${arrived}. Run porter move again.`,
  );
}

/** Copies the bytes before the rows, so that every stored upload in the target is complete. */
async function copyUploads(
  context: MigrationContext,
  rows: readonly CopiedRow[],
  targetRows: ReadonlyMap<string, CopiedRow>,
  report: MigrationReport,
): Promise<void> {
  let batch: CopiedRow[] = [];
  let bytes = 0;
  const writeBatch = async () => {
    await copyUploadBatch(context, batch, targetRows, report);
    batch = [];
    bytes = 0;
  };
  for (const row of rows) {
    batch.push(row);
    if (needsBytes(context, row, targetRows)) bytes += toMigratedUpload(row).size;
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) await writeBatch();
  }
  if (batch.length > 0) await writeBatch();
}

async function copyUploadBatch(
  context: MigrationContext,
  rows: readonly CopiedRow[],
  targetRows: ReadonlyMap<string, CopiedRow>,
  report: MigrationReport,
): Promise<void> {
  const files = rows.filter((row) => needsBytes(context, row, targetRows)).map(toMigratedUpload);
  const lost = await copyFiles(context, files, report);
  const removed = lost.size === 0 ? new Set<string>() : await findRemovedSince(context, lost, report);
  const left = rows.filter((row) => !removed.has(toMigratedUpload(row).id));
  if (left.length > 0) await context.target.ledger.upsertRows({ table: 'uploads', rows: left });
}

function needsBytes(
  { sharedBlobs }: MigrationContext,
  row: CopiedRow,
  targetRows: ReadonlyMap<string, CopiedRow>,
): boolean {
  if (sharedBlobs || row.state !== 'stored') return false;
  const other = targetRows.get(toMapKey(rowKey('uploads', row)));
  return !(other?.state === 'stored' && other.blob === row.blob && other.size === row.size);
}

/** Returns the uploads that were removed since they were read. Reports the others: their bytes were already missing. */
async function findRemovedSince(
  context: MigrationContext,
  lost: ReadonlySet<string>,
  report: MigrationReport,
): Promise<Set<string>> {
  const keys = [...lost].map((id) => [id]);
  const rows: MigratedUpload[] = (await context.source.ledger.readRowsByKey({ table: 'uploads', keys })).map(
    toMigratedUpload,
  );
  for (const { id } of rows) reportProblem(context, report, id, 'missing');
  const present = new Set(rows.map(({ id }) => id));
  return new Set([...lost].filter((id) => !present.has(id)));
}
