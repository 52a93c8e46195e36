import type { UploadState } from '../../base/upload-records.ts';
import type { SqlValue } from '../sql/database.ts';

/**
 * What a ledger may be used for while it is carried to another place. `closing`: only what is under way may end;
 * `moved`: it was carried off, and takes nothing any more; `importing`: it takes nothing but what the move brings.
 * Looking is always allowed. Whatever else is tried ends with `LedgerError('moved')`.
 */
export type MigrationState = 'open' | 'closing' | 'moved' | 'importing';

/** What travels, in this order: owners come before what is theirs. */
export const COPIED_TABLES = [
  'owners',
  'owner_purposes',
  'uploads',
  'upload_rates',
  'removals',
  'old_paths',
  'pending_deletes',
  'totals',
  'queues',
  'queue_items',
  'queue_keys',
  'idempotency_keys',
  'message_rates',
] as const;
export type CopiedTable = (typeof COPIED_TABLES)[number];

/** A row as it is, columns by name. Whoever carries it looks at nothing but `state`, `blob` and `size` of uploads. */
export type CopiedRow = Readonly<Record<string, SqlValue>>;
/** The values of a row's key columns. */
export type RowKey = readonly SqlValue[];

/** Rows behind one key, up to and with another; null = from the start, to the end. */
export interface RowRange {
  readonly table: CopiedTable;
  readonly after: RowKey | null;
  readonly upTo: RowKey | null;
}

/** The part of a ledger that moves it. Rows go by as they are, at most some thousand at a time. */
export interface CopyStore {
  migrationState(): Promise<MigrationState>;
  /** Resolves once nothing is under way any more that the new standing does not allow. */
  setMigrationState(migrationState: MigrationState): Promise<void>;
  /** The key so many rows behind another, in the order of this ledger; null where fewer are left. */
  findRangeEnd(order: Omit<RowRange, 'upTo'> & { readonly rows: number }): Promise<RowKey | null>;
  /** Two ledgers with the same rows in a range say the same: their number, and the sums of all that can change. */
  rangeDigest(range: RowRange): Promise<string>;
  readRowRange(range: RowRange): Promise<CopiedRow[]>;
  /** Those of the given rows' keys that are here, with what they have here. */
  readRowsByKey(order: {
    readonly table: CopiedTable;
    readonly keys: readonly RowKey[];
  }): Promise<CopiedRow[]>;
  /** Only while `importing`: puts rows in, whatever was there before; what holds a link of theirs goes. */
  upsertRows(order: { readonly table: CopiedTable; readonly rows: readonly CopiedRow[] }): Promise<void>;
  /** Only while `importing`: takes rows out without a record; blobs of uploads become doomed. */
  deleteRows(order: { readonly table: CopiedTable; readonly keys: readonly RowKey[] }): Promise<void>;
  /** All rows of a table, or the uploads in a state; not by counters, so it takes as long as there are many. */
  countRows(order: { readonly table: CopiedTable; readonly state?: UploadState }): Promise<number>;
  /** Owners, by id, whose counters do not say what their uploads add up to: of those in a range of `owners`. */
  findWrongCounters(range: Omit<RowRange, 'table'>): Promise<string[]>;
}

/** What names a row of a table. */
export const PRIMARY_KEYS: Readonly<Record<CopiedTable, readonly string[]>> = {
  owners: ['id'],
  owner_purposes: ['owner_id', 'purpose'],
  uploads: ['id'],
  upload_rates: ['owner_id', 'width', 'start_at'],
  removals: ['locator', 'removed_at', 'id'],
  old_paths: ['path'],
  pending_deletes: ['blob'],
  totals: ['shard'],
  queues: ['queue'],
  queue_items: ['queue', 'queue_key', 'id'],
  queue_keys: ['queue', 'queue_key'],
  idempotency_keys: ['owner', 'key'],
  message_rates: ['key', 'width'],
};

export const rowKey = (table: CopiedTable, row: CopiedRow): RowKey =>
  PRIMARY_KEYS[table].map((column) => row[column] ?? null);
