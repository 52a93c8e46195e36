import {
  type CopiedRow,
  type CopiedTable,
  type RowKey,
  type RowRange,
  rowKey,
} from '../../ledger/contract/ledger.ts';
import { copyFiles, type MigratedUpload, reportProblem, toMigratedUpload } from './copy-files.ts';
import { type MigrationContext, MigrationError, type MigrationReport } from './prepare.ts';

/** Rows that are compared at a time. */
export const ROWS_PER_RANGE = 1000;
/** Uploads, and bytes of theirs, after which those that have been copied are written down: a kill costs no more. */
const BATCH = 100;
const BATCH_BYTES = 64 * 1024 * 1024;

export interface SyncTableOptions {
  /** Nobody changes the old place any more: afterwards both have the same, or the walk fails. */
  readonly exact: boolean;
  /** Told of the rows of each range. */
  readonly onRows?: (rows: number) => void;
}

/**
 * Walks along one table of the old place, range by range, and makes the new one the same: what is equal by its
 * digest is passed over, so that a walk that is repeated costs little but the difference. Returns how many rows
 * were written or taken out.
 */
export async function syncTable(
  deps: MigrationContext,
  table: CopiedTable,
  report: MigrationReport,
  { exact, onRows }: SyncTableOptions,
): Promise<number> {
  let changed = 0;
  for (let after: RowKey | null = null; ; ) {
    deps.signal.throwIfAborted();
    const upTo: RowKey | null = await deps.source.ledger.findRangeEnd({ table, after, rows: ROWS_PER_RANGE });
    const range = { table, after, upTo };
    const digests = await digest(deps, range);
    if (!isEqual(digests)) changed += await settle(deps, range, report);
    if (exact && !isEqual(digests)) await insist(deps, range);
    onRows?.(Number(digests[0].split(':', 1)[0]));
    if (upTo === null) break;
    after = upTo;
  }
  if (exact) changed += await evenOut(deps, table);
  report.rows += changed;
  return changed;
}

type Digests = readonly [string, string];
const isEqual = ([here, there]: Digests) => here === there;

async function digest({ source, target }: MigrationContext, range: RowRange): Promise<Digests> {
  return await Promise.all([source.ledger.rangeDigest(range), target.ledger.rangeDigest(range)]);
}

/** Where digests differ still, because the two put texts into another order, the rows themselves must be there. */
async function insist(deps: MigrationContext, range: RowRange): Promise<void> {
  if (isEqual(await digest(deps, range))) return;
  const { changed } = await compare(deps, range.table, await deps.source.ledger.readRowRange(range));
  if (changed.length > 0)
    throw new MigrationError(`${changed.length} rows of ${range.table} did not arrive.`);
}

/** Makes one range the same. */
async function settle(deps: MigrationContext, range: RowRange, report: MigrationReport): Promise<number> {
  const { table } = range;
  const rows = await deps.source.ledger.readRowRange(range);
  const { changed, there } = await compare(deps, table, rows);
  const dropped = await dropOthers(deps, table, await deps.target.ledger.readRowRange(range));
  if (table === 'uploads') await bringUploads(deps, changed, there, report);
  else if (changed.length > 0) await deps.target.ledger.upsertRows({ table, rows: changed });
  return changed.length + dropped;
}

const named = (key: RowKey) => JSON.stringify(key);

/** Rows that the new place has otherwise or not at all, and what it has under their keys. */
async function compare({ target }: MigrationContext, table: CopiedTable, rows: readonly CopiedRow[]) {
  const keys = rows.map((row) => rowKey(table, row));
  const found = await target.ledger.readRowsByKey({ table, keys });
  const there = new Map(found.map((row) => [named(rowKey(table, row)), row]));
  const changed = rows.filter((row) => {
    const other = there.get(named(rowKey(table, row)));
    return other === undefined || Object.entries(row).some(([column, value]) => other[column] !== value);
  });
  return { changed, there };
}

/** Takes out, of some rows of the new place, those that the old one does not have. */
async function dropOthers(
  { source, target }: MigrationContext,
  table: CopiedTable,
  rows: readonly CopiedRow[],
): Promise<number> {
  // Blobs become doomed in the new place too, and are buried there.
  if (rows.length === 0 || table === 'pending_deletes') return 0;
  const keys = rows.map((row) => rowKey(table, row));
  const known = await source.ledger.readRowsByKey({ table, keys });
  const here = new Set(known.map((row) => named(rowKey(table, row))));
  const others = keys.filter((key) => !here.has(named(key)));
  if (others.length > 0) await target.ledger.deleteRows({ table, keys: others });
  return others.length;
}

/** What the new place has too many, wherever it puts them in its order. */
async function evenOut(deps: MigrationContext, table: CopiedTable): Promise<number> {
  const { source, target } = deps;
  if (table === 'pending_deletes') return 0;
  const counts = () => Promise.all([source.ledger.countRows({ table }), target.ledger.countRows({ table })]);
  const [here, there] = await counts();
  if (here === there) return 0;
  let dropped = 0;
  for (let after: RowKey | null = null; ; ) {
    const upTo: RowKey | null = await target.ledger.findRangeEnd({ table, after, rows: ROWS_PER_RANGE });
    dropped += await dropOthers(deps, table, await target.ledger.readRowRange({ table, after, upTo }));
    if (upTo === null) break;
    after = upTo;
  }
  const [rows, arrived] = await counts();
  if (rows === arrived) return dropped;
  throw new MigrationError(`The old place has ${rows} rows of ${table}, the new one ${arrived}.`);
}

/** Bytes first: a row never says that a file is there before it is. */
async function bringUploads(
  deps: MigrationContext,
  rows: readonly CopiedRow[],
  there: ReadonlyMap<string, CopiedRow>,
  report: MigrationReport,
): Promise<void> {
  let batch: CopiedRow[] = [];
  let bytes = 0;
  const write = async () => {
    await bringBatch(deps, batch, there, report);
    batch = [];
    bytes = 0;
  };
  for (const row of rows) {
    batch.push(row);
    if (needsBytes(deps, row, there)) bytes += toMigratedUpload(row).size;
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) await write();
  }
  if (batch.length > 0) await write();
}

async function bringBatch(
  deps: MigrationContext,
  rows: readonly CopiedRow[],
  there: ReadonlyMap<string, CopiedRow>,
  report: MigrationReport,
): Promise<void> {
  const files = rows.filter((row) => needsBytes(deps, row, there)).map(toMigratedUpload);
  const lost = await copyFiles(deps, files, report);
  const gone = lost.size === 0 ? new Set<string>() : await removedMeanwhile(deps, lost, report);
  const left = rows.filter((row) => !gone.has(toMigratedUpload(row).id));
  if (left.length > 0) await deps.target.ledger.upsertRows({ table: 'uploads', rows: left });
}

function needsBytes(
  { sharedBlobs }: MigrationContext,
  row: CopiedRow,
  there: ReadonlyMap<string, CopiedRow>,
): boolean {
  if (sharedBlobs || row.state !== 'stored') return false;
  const other = there.get(named(rowKey('uploads', row)));
  return !(other?.state === 'stored' && other.blob === row.blob && other.size === row.size);
}

/** Of uploads without bytes: those that were deleted since they were read. The others had none before. */
async function removedMeanwhile(
  deps: MigrationContext,
  lost: ReadonlySet<string>,
  report: MigrationReport,
): Promise<Set<string>> {
  const keys = [...lost].map((id) => [id]);
  const rows: MigratedUpload[] = (await deps.source.ledger.readRowsByKey({ table: 'uploads', keys })).map(
    toMigratedUpload,
  );
  for (const { id } of rows) reportProblem(deps, report, id, 'missing');
  const here = new Set(rows.map(({ id }) => id));
  return new Set([...lost].filter((id) => !here.has(id)));
}
