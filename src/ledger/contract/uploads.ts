import type { ContentFacts, Removal, RemovalReason, Upload } from '../../base/upload-records.ts';
import type { LedgerTime } from './processes.ts';
import type { Lifetimes, LimitName, Limits } from './quota.ts';
import type { WebSweepStep } from './web.ts';

/**
 * Slots and the uploads that they become.
 *
 * ```
 *            claim             commit
 *   issued ─────────▶ receiving ──────▶ stored
 *    │ ▲                  │              ▲
 *    │ └──── release ─────┘              │   remove, forget and sweep delete rows of any state
 *    └──────── storeSlot ────────────────┘
 * ```
 *
 * A large body is claimed before it is written. A small one that has arrived whole is written first, under a key that no
 * other attempt has, and then stored in one transaction: `storeSlot`, or `storeNew` without a slot.
 */
export interface UploadStore {
  /**
   * Charges the owner's quotas and inserts the slot, or returns the limit that it exceeds. Removes expired uploads, and with
   * `evict` the owner's oldest ones, to make room: a bounded number, so the caller repeats a result with the limit `batch`.
   */
  reserve(reservation: Reservation): Promise<ReserveResult>;

  /**
   * Changes issued → receiving, for one PUT at a time. Gives the attempt a blob key that no other attempt has. If it takes an
   * abandoned claim over, the key of the other attempt becomes a pending delete.
   */
  claim(params: ClaimParams): Promise<ClaimResult>;
  /**
   * Changes receiving → stored with the key of this attempt. Returns false, and stores nothing, if another PUT has taken the
   * claim over or the row was removed; then the key of this attempt becomes a pending delete.
   */
  commit(params: CommitParams): Promise<boolean>;
  /**
   * Changes receiving → issued, so that the PUT can be repeated until the slot's deadline. Deletes an upload that was
   * reserved together with its claim, and refunds its quota. The key of the attempt becomes a pending delete. Returns false
   * if the attempt has no claim: another PUT has taken it over, or its commit has succeeded. Then keeps a stored key.
   */
  release(params: ReleaseParams): Promise<boolean>;

  /**
   * Releases a claim whose outcome was unknown, by its token. Returns false if there is no such claim: it did not take effect,
   * or not yet.
   */
  releaseByToken(params: Pick<ClaimParams, 'by' | 'token' | 'now'>): Promise<boolean>;

  /** Returns stored uploads whose files do not have their public name yet. */
  unpublished(limit: number): Promise<UnpublishedBlob[]>;
  /**
   * Records that a file has its public name. If the upload was removed meanwhile, that name becomes a pending delete and the
   * result is false.
   */
  confirmPublished(blob: PublishedBlob): Promise<boolean>;

  /** Finds an upload of any state by its locator. */
  find(locator: string): Promise<Upload | undefined>;
  /** Finds an upload by the hash of its PUT token. */
  findByPutKey(putKey: string): Promise<Upload | undefined>;
  /** Finds the record of a removed upload; the latest, if a locator was used more than once. */
  findRemoval(locator: string): Promise<Removal | undefined>;

  /** Removes uploads of any state, and returns them. Ignores unknown ids. Their blobs become pending deletes, or go to the trash. */
  remove(params: RemoveParams): Promise<Upload[]>;
  /** Runs one bounded step of a sweep. */
  sweep(step: SweepStep): Promise<SweepResult>;
  /**
   * Returns keys of blobs that remain to be deleted, because their uploads were removed. First those that were never tried,
   * then those whose next attempt is due.
   */
  pendingDeletes(query: { readonly now: number; readonly limit: number }): Promise<string[]>;
  /**
   * Counts an attempt to delete these blobs. Once it resolves, no power cut brings back an upload that has one of them (with
   * `sync`), so their bytes may be deleted. Returns those that are still pending.
   */
  beginDeletes(blobs: readonly string[]): Promise<BegunDelete[]>;
  /** Drops these keys from the pending deletes after their blobs were deleted. */
  confirmDeleted(blobs: readonly string[]): Promise<void>;
  /** Records failed attempts and when to try again. */
  postponeDeletes(failures: readonly PostponedDelete[]): Promise<void>;
  /** Returns blobs whose deletion has failed, those that are due first. */
  failedDeletes(limit: number): Promise<FailedDelete[]>;
}

export interface BegunDelete {
  readonly blob: string;
  /** Attempts so far, this one included. */
  readonly attempts: number;
}

export interface PostponedDelete {
  readonly blob: string;
  readonly retryAt: number;
  /** Why the attempt has failed. */
  readonly reason: string;
}

export interface FailedDelete extends PostponedDelete {
  readonly attempts: number;
}

export interface Reservation extends LedgerTime {
  /** The id begins with the second of `now` (`timeOrderedId`), so that the oldest uploads of an owner are found by id. */
  readonly upload: Pick<
    Upload,
    | 'id'
    | 'locator'
    | 'owner'
    | 'endpoint'
    | 'purpose'
    | 'name'
    | 'type'
    | 'size'
    | 'blob'
    | 'deadline'
    | 'expiresAt'
  >;
  /** Hash of the PUT token; null if the PUT is found by its locator. */
  readonly putKey: string | null;
  readonly limits: Limits;
  /** Whether the owner's oldest evictable uploads are removed to make room under `ownerBytes`, `ownerFiles` and `purposeBytes`. */
  readonly evict: boolean;
  readonly lifetimes: Lifetimes;
  readonly now: number;
  /** Reserves and claims in one transaction, for endpoints that learn of an upload by its PUT. */
  readonly claim?: { readonly instance: string; readonly token: string };
  /** True if the locator may be used again after its upload was removed. */
  readonly reusesLocator?: boolean;
}

/** Uploads that a reservation has removed. Their blobs are pending deletes. */
export interface RemovedForRoom {
  readonly reason: Extract<RemovalReason, 'unused' | 'expired' | 'evicted'>;
  readonly uploads: number;
  readonly bytes: number;
}

export type ReserveResult = (
  | { readonly granted: true }
  /** The transaction has removed as many uploads as it may, and more must be removed. Repeat the reservation. */
  | { readonly granted: false; readonly limit: 'batch' }
  | {
      readonly granted: false;
      readonly limit: LimitName;
      /** Current usage under this limit (bytes, or uploads: `countsUploads`), without this reservation. */
      readonly used: number;
      readonly allowed: number;
      /** When the same reservation fits if nothing else is reserved; null if it will never fit by waiting. */
      readonly retryAt: number | null;
    }
  /** The locator is in use or was removed. Only for endpoints whose clients choose the locator. */
  | {
      readonly granted: false;
      readonly limit: 'locator';
      readonly upload?: Upload;
      readonly removal?: Removal;
    }
) & {
  /** Absent if none were removed. */
  readonly removed?: readonly RemovedForRoom[];
};

export interface ClaimParams extends LedgerTime {
  readonly by: { readonly putKey: string } | { readonly locator: string };
  /** Random token that identifies this claim in `commit` and `release`. */
  readonly token: string;
  /** Id of the process that holds the claim, as in its heartbeats. */
  readonly instance: string;
  /** Compared with the deadline of the slot. */
  readonly now: number;
}

export type ClaimResult =
  | { readonly outcome: 'claimed'; readonly upload: Upload }
  /** Stored before. A PUT that repeats the same bytes gets 201 until the slot's deadline. */
  | { readonly outcome: 'stored'; readonly upload: Upload }
  /** Another PUT holds the claim. */
  | { readonly outcome: 'receiving'; readonly upload: Upload }
  /** The slot does not exist, or its deadline has passed. */
  | { readonly outcome: 'unknown' };

export interface CommitParams {
  readonly id: string;
  readonly token: string;
  readonly now: number;
  /** Received size. The charge is corrected if it differs from the reserved size. */
  readonly size: number;
  /** The key under which this attempt has stored the bytes. */
  readonly blob: string;
  /** The key that the file gets after the commit (`BlobStore.publish`). The upload has it from now on. */
  readonly publicBlob?: string;
  /** Absent if the content was not checked. */
  readonly content?: ContentFacts;
}

export interface ReleaseParams {
  readonly id: string;
  readonly token: string;
  readonly now: number;
  /** The key of this attempt. */
  readonly blob: string;
}

/** The file of a stored upload that a web server finds only after `BlobStore.publish`. */
export interface UnpublishedBlob {
  readonly id: string;
  /** The key of the attempt that was stored. */
  readonly blob: string;
  readonly publicBlob: string;
}

export type PublishedBlob = Pick<UnpublishedBlob, 'id' | 'publicBlob'>;

export interface RemoveParams {
  readonly ids: readonly string[];
  /** Removes only uploads of these owners. */
  readonly owners?: readonly string[];
  readonly reason: RemovalReason;
  readonly detail: string;
  readonly now: number;
  /** Leaves no removal record: for test uploads, whose links no client has. */
  readonly withoutRecord?: boolean;
  /** Stored files stay in the trash until this time. */
  readonly restorableUntil?: number;
}

/** `dryRun` counts what a step would remove and changes nothing. */
export type SweepStep = { readonly limit: number; readonly now: number; readonly dryRun?: boolean } & (
  | { /** Slots whose deadline passed without a PUT. */ readonly kind: 'unused' }
  | {
      /** Claims of processes that sent no heartbeat for `HEARTBEAT_TIMEOUT_MS`. */ readonly kind: 'dead_claims';
      readonly ledgerTime?: number;
    }
  | {
      /** Uploads of one purpose that were stored `maxAge` ms ago or earlier. */ readonly kind: 'max_age';
      readonly purpose: string;
      readonly maxAge: number;
    }
  | { /** Uploads whose own `expiresAt` has passed. */ readonly kind: 'expires_at' }
  | {
      /** The oldest evictable uploads of owners above `bytes`. */ readonly kind: 'soft_quota';
      readonly bytes: number;
      readonly lifetimes: Lifetimes;
      readonly detail: string;
    }
  | {
      /** Removal records up to `removedBefore`, without those whose locator must not be used again. */
      readonly kind: 'records';
      readonly removedBefore: number;
    }
  | { /** Rate counters whose period has ended. */ readonly kind: 'upload_rates' | 'message_rates' }
  | { /** Expired idempotency keys. */ readonly kind: 'idempotency_keys' }
  | { /** Refusals older than `KEEP_REFUSALS_MS`. */ readonly kind: 'refusals' }
  | WebSweepStep
);

export interface SweepResult {
  /** Below `limit`: the step is finished. */
  readonly count: number;
  readonly bytes: number;
}
