import type { ErrorCode } from '../../base/errors.ts';
import type { Endpoint } from '../../base/upload-records.ts';

/** Equal refusals of one owner: the same code at the same endpoint, for the same upload. */
export interface RefusalRecord {
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly code: ErrorCode;
  /** `''` for a refused slot request. */
  readonly uploadId: string;
  /** True if no access rule lets the owner upload. */
  readonly isDenied: boolean;
  /** Number of refusals from `firstAt` to `lastAt`. */
  readonly times: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Text of the last refusal, as its user saw it. */
  readonly text: string;
  /** Name of the file, `''` if unknown. */
  readonly name: string;
  /** Bytes; null if unknown. */
  readonly size: number | null;
}

/** Refusals are remembered for this long, in milliseconds. */
export const KEEP_REFUSALS_MS = 24 * 3600_000;
/** Rows that one owner has at most; the latest stay. */
export const MAX_REFUSALS_PER_OWNER = 20;
/** Rows of all owners that may upload, and of all that may not. The latest stay. */
export const MAX_REFUSALS = { allowed: 10_000, denied: 1_000 } as const;

/** Refused slot requests and PUTs. Used by `porter why`. */
export interface RefusalStore {
  /** Adds up to 1,000 records to those with the same key, and deletes the oldest rows above the bounds. */
  recordRefusals(refusals: readonly RefusalRecord[]): Promise<void>;
  /** Lists the records of an owner since a time, the latest first. */
  listRefusals(query: { readonly owner: string; readonly since: number }): Promise<RefusalRecord[]>;
  /** Lists the records of all owners since a time, the latest first. */
  listAllRefusals(query: { readonly since: number; readonly limit: number }): Promise<RefusalRecord[]>;
}
