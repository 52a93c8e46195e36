import type { UploadState } from '../../base/upload-records.ts';

/**
 * Which methods a ledger allows while `porter move` copies it to another one. Reads are always allowed. Other methods are
 * rejected with `LedgerError('moved')`.
 *
 * | state | allowed writes | next state |
 * |---|---|---|
 * | `open` | all but those of the copy | `closing` (source), `importing` (target) |
 * | `closing` | those that finish earlier work: commit, release, … | `moved`, or `open` if the move is cancelled |
 * | `moved` | none; another ledger has replaced this one | |
 * | `importing` | those of the copy | `open` |
 */
export type MigrationState = 'open' | 'closing' | 'moved' | 'importing';

/** Why a ledger in this state refuses a method, and what to do. */
export const MIGRATION_STATE_MESSAGES: Readonly<Record<MigrationState, string>> = {
  open: 'No move to this ledger is running.',
  closing:
    'The ledger is being moved, so it takes no uploads and no messages. Wait until porter move is done.',
  moved: 'The ledger was moved. Start Porter with the config of the new ledger.',
  importing: 'A move to this ledger is not finished. Run: porter move --finish',
};

/** The tables that are copied, in this order. Owners come before the rows that refer to them. */
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
  'web_tokens',
  'guest_links',
  'audit',
  'usage_history',
  'daily_counts',
  'hook_calls',
  'blocked_hashes',
] as const;
export type CopiedTable = (typeof COPIED_TABLES)[number];

/** A row by column name. The copy itself reads only `state`, `blob` and `size` of uploads. */
export type CopiedRow = Readonly<Record<string, string | number | null>>;
/** The values of a row's primary key columns. */
export type RowKey = readonly (string | number | null)[];

/** Rows with a key greater than `after` and up to `upTo`; null = unlimited. */
export interface RowRange {
  readonly table: CopiedTable;
  readonly after: RowKey | null;
  readonly upTo: RowKey | null;
}

/** Copies a ledger to another one. Rows are copied unchanged, a few thousand at a time. */
export interface CopyStore {
  migrationState(): Promise<MigrationState>;
  /** Resolves after all running transactions that the new state does not allow have ended. */
  setMigrationState(migrationState: MigrationState): Promise<void>;
  /** Returns the key of the row that is `rows` rows after `after`, or null if fewer rows are left. */
  findRangeEnd(range: Omit<RowRange, 'upTo'> & { readonly rows: number }): Promise<RowKey | null>;
  /** Returns the row count and the sums of all columns that can change. Equal in two ledgers with equal rows. */
  rangeDigest(range: RowRange): Promise<string>;
  readRowRange(range: RowRange): Promise<CopiedRow[]>;
  /** Returns the rows that exist among these keys. */
  readRowsByKey(rows: KeyedRows): Promise<CopiedRow[]>;
  /** Inserts or replaces rows, and deletes other rows with the same unique values. Only in state `importing`. */
  upsertRows(rows: { readonly table: CopiedTable; readonly rows: readonly CopiedRow[] }): Promise<void>;
  /** Deletes rows without removal records; blobs of uploads become pending deletes. Only in state `importing`. */
  deleteRows(rows: KeyedRows): Promise<void>;
  /** Counts all rows of a table, or the uploads of one state. Reads every row. */
  countRows(params: { readonly table: CopiedTable; readonly state?: UploadState }): Promise<number>;
  /** Returns the names of owners whose counters differ from the sum of their uploads, for a range of `owners`. */
  findWrongCounters(range: Omit<RowRange, 'table'>): Promise<string[]>;
}

export interface KeyedRows {
  readonly table: CopiedTable;
  readonly keys: readonly RowKey[];
}

/** The primary key columns of each table. */
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
  web_tokens: ['id'],
  guest_links: ['id'],
  audit: ['id'],
  usage_history: ['at'],
  daily_counts: ['day'],
  hook_calls: ['hook'],
  blocked_hashes: ['sha256'],
};

export const rowKey = (table: CopiedTable, row: CopiedRow): RowKey =>
  PRIMARY_KEYS[table].map((column) => row[column] ?? null);
