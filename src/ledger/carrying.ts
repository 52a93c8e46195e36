import type { UploadState } from '../base/records.ts';
import type { Value } from './database.ts';

/**
 * What a ledger may be used for while it is carried to another place. `closing`: only what is under way may end;
 * `away`: it was carried off, and takes nothing any more; `arriving`: it takes nothing but what the move brings.
 * Looking is always allowed. Whatever else is tried ends with `LedgerFault('moved')`.
 */
export type Standing = 'open' | 'closing' | 'away' | 'arriving';

/** What travels, in this order: owners come before what is theirs. */
export const CARRIED = [
  'owners',
  'owner_purposes',
  'uploads',
  'rates',
  'removals',
  'old_paths',
  'doomed',
  'totals',
  'queues',
  'queued',
  'lanes',
  'requests',
  'message_rates',
] as const;
export type CarriedTable = (typeof CARRIED)[number];

/** A row as it is, columns by name. Whoever carries it looks at nothing but `state`, `blob` and `size` of uploads. */
export type CarriedRow = Readonly<Record<string, Value>>;
/** The values of a row's key columns. */
export type CarriedKey = readonly Value[];

/** Rows behind one key, up to and with another; null = from the start, to the end. */
export interface CarriedRange {
  readonly table: CarriedTable;
  readonly after: CarriedKey | null;
  readonly upTo: CarriedKey | null;
}

/** The part of a ledger that moves it. Rows go by as they are, at most some thousand at a time. */
export interface Carrying {
  standing(): Promise<Standing>;
  /** Resolves once nothing is under way any more that the new standing does not allow. */
  stand(standing: Standing): Promise<void>;
  /** The key so many rows behind another, in the order of this ledger; null where fewer are left. */
  cutRows(order: Omit<CarriedRange, 'upTo'> & { readonly rows: number }): Promise<CarriedKey | null>;
  /** Two ledgers with the same rows in a range say the same: their number, and the sums of all that can change. */
  digestRows(range: CarriedRange): Promise<string>;
  readRows(range: CarriedRange): Promise<CarriedRow[]>;
  /** Those of the given rows' keys that are here, with what they have here. */
  findRows(order: {
    readonly table: CarriedTable;
    readonly keys: readonly CarriedKey[];
  }): Promise<CarriedRow[]>;
  /** Only while `arriving`: puts rows in, whatever was there before; what holds a link of theirs goes. */
  writeRows(order: { readonly table: CarriedTable; readonly rows: readonly CarriedRow[] }): Promise<void>;
  /** Only while `arriving`: takes rows out without a record; blobs of uploads become doomed. */
  dropRows(order: { readonly table: CarriedTable; readonly keys: readonly CarriedKey[] }): Promise<void>;
  /** All rows of a table, or the uploads in a state; not by counters, so it takes as long as there are many. */
  countRows(order: { readonly table: CarriedTable; readonly state?: UploadState }): Promise<number>;
  /** Owners, by id, whose counters do not say what their uploads add up to: of those in a range of `owners`. */
  wrongOwners(range: Omit<CarriedRange, 'table'>): Promise<string[]>;
}

/** What names a row of a table. */
export const KEYS: Readonly<Record<CarriedTable, readonly string[]>> = {
  owners: ['id'],
  owner_purposes: ['owner_id', 'purpose'],
  uploads: ['id'],
  rates: ['owner_id', 'width', 'start_at'],
  removals: ['locator', 'removed_at', 'id'],
  old_paths: ['path'],
  doomed: ['blob'],
  totals: ['shard'],
  queues: ['queue'],
  queued: ['queue', 'lane', 'id'],
  lanes: ['queue', 'lane'],
  requests: ['owner', 'key'],
  message_rates: ['key', 'width'],
};

export const keyOf = (table: CarriedTable, row: CarriedRow): CarriedKey =>
  KEYS[table].map((column) => row[column] ?? null);
