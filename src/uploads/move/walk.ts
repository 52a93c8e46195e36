import {
  type CarriedKey,
  type CarriedRange,
  type CarriedRow,
  type CarriedTable,
  keyOf,
} from '../../ledger/contract.ts';
import { copyFiles, note, type UploadRow, uploadOf } from './bytes.ts';
import { type MoveDeps, MoveFailure, type MoveReport } from './places.ts';

/** Rows that are compared at a time. */
export const RANGE = 1000;
/** Uploads, and bytes of theirs, after which those that have been copied are written down: a kill costs no more. */
const BATCH = 100;
const BATCH_BYTES = 64 * 1024 * 1024;

export interface WalkOptions {
  /** Nobody changes the old place any more: afterwards both have the same, or the walk fails. */
  readonly exact: boolean;
  /** Told of the rows of each range. */
  readonly seen?: (rows: number) => void;
}

/**
 * Walks along one table of the old place, range by range, and makes the new one the same: what is equal by its
 * digest is passed over, so that a walk that is repeated costs little but the difference. Returns how many rows
 * were written or taken out.
 */
export async function walk(
  deps: MoveDeps,
  table: CarriedTable,
  report: MoveReport,
  { exact, seen }: WalkOptions,
): Promise<number> {
  let changed = 0;
  for (let after: CarriedKey | null = null; ; ) {
    deps.signal.throwIfAborted();
    const upTo: CarriedKey | null = await deps.from.ledger.cutRows({ table, after, rows: RANGE });
    const range = { table, after, upTo };
    const digests = await digest(deps, range);
    if (!isEqual(digests)) changed += await settle(deps, range, report);
    if (exact && !isEqual(digests)) await insist(deps, range);
    seen?.(Number(digests[0].split(':', 1)[0]));
    if (upTo === null) break;
    after = upTo;
  }
  if (exact) changed += await evenOut(deps, table);
  report.rows += changed;
  return changed;
}

type Digests = readonly [string, string];
const isEqual = ([here, there]: Digests) => here === there;

async function digest({ from, to }: MoveDeps, range: CarriedRange): Promise<Digests> {
  return await Promise.all([from.ledger.digestRows(range), to.ledger.digestRows(range)]);
}

/** Where digests differ still, because the two put texts into another order, the rows themselves must be there. */
async function insist(deps: MoveDeps, range: CarriedRange): Promise<void> {
  if (isEqual(await digest(deps, range))) return;
  const { changed } = await compare(deps, range.table, await deps.from.ledger.readRows(range));
  if (changed.length > 0) throw new MoveFailure(`${changed.length} rows of ${range.table} did not arrive.`);
}

/** Makes one range the same. */
async function settle(deps: MoveDeps, range: CarriedRange, report: MoveReport): Promise<number> {
  const { table } = range;
  const rows = await deps.from.ledger.readRows(range);
  const { changed, there } = await compare(deps, table, rows);
  const dropped = await dropOthers(deps, table, await deps.to.ledger.readRows(range));
  if (table === 'uploads') await bringUploads(deps, changed, there, report);
  else if (changed.length > 0) await deps.to.ledger.writeRows({ table, rows: changed });
  return changed.length + dropped;
}

const named = (key: CarriedKey) => JSON.stringify(key);

/** Rows that the new place has otherwise or not at all, and what it has under their keys. */
async function compare({ to }: MoveDeps, table: CarriedTable, rows: readonly CarriedRow[]) {
  const keys = rows.map((row) => keyOf(table, row));
  const found = await to.ledger.findRows({ table, keys });
  const there = new Map(found.map((row) => [named(keyOf(table, row)), row]));
  const changed = rows.filter((row) => {
    const other = there.get(named(keyOf(table, row)));
    return other === undefined || Object.entries(row).some(([column, value]) => other[column] !== value);
  });
  return { changed, there };
}

/** Takes out, of some rows of the new place, those that the old one does not have. */
async function dropOthers(
  { from, to }: MoveDeps,
  table: CarriedTable,
  rows: readonly CarriedRow[],
): Promise<number> {
  // Blobs become doomed in the new place too, and are buried there.
  if (rows.length === 0 || table === 'doomed') return 0;
  const keys = rows.map((row) => keyOf(table, row));
  const known = await from.ledger.findRows({ table, keys });
  const here = new Set(known.map((row) => named(keyOf(table, row))));
  const others = keys.filter((key) => !here.has(named(key)));
  if (others.length > 0) await to.ledger.dropRows({ table, keys: others });
  return others.length;
}

/** What the new place has too many, wherever it puts them in its order. */
async function evenOut(deps: MoveDeps, table: CarriedTable): Promise<number> {
  const { from, to } = deps;
  if (table === 'doomed') return 0;
  const counts = () => Promise.all([from.ledger.countRows({ table }), to.ledger.countRows({ table })]);
  const [here, there] = await counts();
  if (here === there) return 0;
  let dropped = 0;
  for (let after: CarriedKey | null = null; ; ) {
    const upTo: CarriedKey | null = await to.ledger.cutRows({ table, after, rows: RANGE });
    dropped += await dropOthers(deps, table, await to.ledger.readRows({ table, after, upTo }));
    if (upTo === null) break;
    after = upTo;
  }
  const [rows, arrived] = await counts();
  if (rows === arrived) return dropped;
  throw new MoveFailure(`The old place has ${rows} rows of ${table}, the new one ${arrived}.`);
}

/** Bytes first: a row never says that a file is there before it is. */
async function bringUploads(
  deps: MoveDeps,
  rows: readonly CarriedRow[],
  there: ReadonlyMap<string, CarriedRow>,
  report: MoveReport,
): Promise<void> {
  let batch: CarriedRow[] = [];
  let bytes = 0;
  const write = async () => {
    await bringBatch(deps, batch, there, report);
    batch = [];
    bytes = 0;
  };
  for (const row of rows) {
    batch.push(row);
    if (needsBytes(deps, row, there)) bytes += uploadOf(row).size;
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) await write();
  }
  if (batch.length > 0) await write();
}

async function bringBatch(
  deps: MoveDeps,
  rows: readonly CarriedRow[],
  there: ReadonlyMap<string, CarriedRow>,
  report: MoveReport,
): Promise<void> {
  const files = rows.filter((row) => needsBytes(deps, row, there)).map(uploadOf);
  const lost = await copyFiles(deps, files, report);
  const gone = lost.size === 0 ? new Set<string>() : await removedMeanwhile(deps, lost, report);
  const left = rows.filter((row) => !gone.has(uploadOf(row).id));
  if (left.length > 0) await deps.to.ledger.writeRows({ table: 'uploads', rows: left });
}

function needsBytes(
  { oneStore }: MoveDeps,
  row: CarriedRow,
  there: ReadonlyMap<string, CarriedRow>,
): boolean {
  if (oneStore || row.state !== 'stored') return false;
  const other = there.get(named(keyOf('uploads', row)));
  return !(other?.state === 'stored' && other.blob === row.blob && other.size === row.size);
}

/** Of uploads without bytes: those that were deleted since they were read. The others had none before. */
async function removedMeanwhile(
  deps: MoveDeps,
  lost: ReadonlySet<string>,
  report: MoveReport,
): Promise<Set<string>> {
  const keys = [...lost].map((id) => [id]);
  const rows: UploadRow[] = (await deps.from.ledger.findRows({ table: 'uploads', keys })).map(uploadOf);
  for (const { id } of rows) note(deps, report, id, 'missing');
  const here = new Set(rows.map(({ id }) => id));
  return new Set([...lost].filter((id) => !here.has(id)));
}
