import type { Removal, RemovalReason, Upload, UploadState } from '../../base/upload-records.ts';
import type { CopyStore } from './copy.ts';
import type { ImportUploadsParams, OldPath } from './import.ts';
import type { MessageStore } from './messages.ts';

export * from './copy.ts';
export type { ImportedUpload, ImportUploadsParams, OldPath } from './import.ts';
export { LedgerError, type LedgerErrorKind } from './ledger-error.ts';
export type * from './messages.ts';

/**
 * Who owns what. Every method is one transaction: it happens whole or not at all, and with `sync` a
 * resolved promise means that it would survive a power cut; only `reserve`, `claim`, `release`, `heartbeat` and `lost` may then be
 * undone together with all that came after them, which costs a client another request. Each costs the same with ten rows
 * as with ten million, and work that could be large takes a `limit` and says through its count whether more is left.
 *
 * Expected outcomes come back as values, never as exceptions; a rejected promise is a fault of the store.
 * All arguments and results are plain data, because a back end may live in another thread.
 */
export interface Ledger extends MessageStore, CopyStore {
  /** Charges the owner's quotas and writes the slot, or says which limit stands in the way. */
  reserve(reservation: Reservation): Promise<ReserveResult>;

  /** issued -> receiving, for exactly one PUT at a time. */
  claim(order: ClaimParams): Promise<ClaimResult>;
  /**
   * receiving -> stored. False where the claim is no longer ours: then nothing is stored, and the bytes are
   * orphans unless the row is still there and another PUT fills it.
   */
  commit(order: CommitParams): Promise<boolean>;
  /**
   * receiving -> issued, so that the slot can be tried again until its deadline; an upload that was reserved
   * together with its claim is voided instead and gives its quota back. False where the claim was lost.
   */
  release(order: ReleaseParams): Promise<boolean>;

  /** An upload in any state, by how a GET finds it. */
  find(locator: string): Promise<Upload | undefined>;
  /** By the hash of its PUT token. */
  findByPutKey(putKey: string): Promise<Upload | undefined>;
  /** What became of an upload that is no more. The latest, where a locator was used more than once. */
  findRemoval(locator: string): Promise<Removal | undefined>;

  /** Removes uploads whatever their state; unknown ids are passed over. Their blobs become doomed. */
  remove(order: RemoveParams): Promise<Upload[]>;
  /** Removes up to `limit` uploads of an owner and blanks its records; at 0 left the owner itself is gone. */
  forget(params: ForgetParams): Promise<ForgetResult>;

  /** One bounded step of a sweep. */
  sweep(step: SweepStep): Promise<SweepResult>;
  /** Blobs whose uploads are gone from the ledger but whose bytes may still be on disk. */
  pendingDeletes(limit: number): Promise<string[]>;
  /** Their bytes are gone. */
  confirmDeleted(blobs: readonly string[]): Promise<void>;

  /**
   * Takes in files of another service whose bytes lie under their keys already: stored at once, charged to their
   * owners, held against no limit. Those whose locator or id is in use or was removed are passed over. Returns
   * the ids of those that came in; at most 1,000 at a time.
   */
  importUploads(order: ImportUploadsParams): Promise<string[]>;
  /** Keeps in mind where links of a service that was taken over begin. */
  addOldPath(oldPath: OldPath): Promise<void>;
  listOldPaths(): Promise<OldPath[]>;

  /** Says that this process lives; its claims are void once it has been silent for long. */
  heartbeat(instance: Instance): Promise<void>;
  /** Processes of this host that have been heard of. */
  listInstances(host: string): Promise<Pick<Instance, 'id' | 'pid'>[]>;
  /** Says that these processes are dead: their claims are void from now on. */
  removeInstances(ids: readonly string[]): Promise<void>;

  usage(owner: string): Promise<Usage>;
  /** The JID with this hex SHA-1 among the owners there are. */
  findOwnerBySha1(sha1: string): Promise<string | undefined>;
  /** Uploads by id, which is in the order of the seconds in which they came; `after` the last of the page before. */
  listUploads(query: UploadQuery): Promise<Upload[]>;
  listRemovals(query: RemovalQuery): Promise<Removal[]>;
  /** Owners by name, `after` the last name of the page before. */
  listOwners(query: { after?: string; limit: number }): Promise<OwnerUsage[]>;
  stats(): Promise<LedgerStats>;

  /** fsck: which of these ids (at most 1,000) have a row, in whatever state. */
  findExistingIds(ids: readonly string[]): Promise<string[]>;
  /** fsck: sets the true size of a stored upload, counters included. */
  correctSize(order: { id: string; size: number }): Promise<boolean>;
  /** fsck: counts an owner's uploads afresh and repairs its counters. True where they were wrong. */
  recount(order: { owner: string; repair: boolean }): Promise<boolean>;

  close(): Promise<void>;
}

/** A process that was silent for this many milliseconds has lost its claims to whoever comes next. */
export const HEARTBEAT_TIMEOUT_MS = 60_000;

/** What an owner may have, as numbers; policy made them out of the rules. `null` = no limit. */
export interface Limits {
  /** All of the owner's bytes, slots that still wait for their PUT included. */
  readonly ownerBytes: number | null;
  /** The owner's bytes under the purpose of this upload. */
  readonly purposeBytes: number | null;
  readonly bytesPer: { readonly period: number; readonly bytes: number } | null;
  readonly uploadsPer: { readonly period: number; readonly uploads: number } | null;
  /** All owners together. */
  readonly globalBytes: number | null;
}

export const unlimited: Limits = {
  ownerBytes: null,
  purposeBytes: null,
  bytesPer: null,
  uploadsPer: null,
  globalBytes: null,
};

/** How long uploads of each purpose live (`''` = none given); tells when space really frees. */
export type Lifetimes = Readonly<Record<string, Lifetime>>;

export interface Lifetime {
  /** Milliseconds from `storedAt`; null = for ever. */
  readonly maxAge: number | null;
  /** May the soft quota or `when_full: evict` take it? */
  readonly evictable: boolean;
}

export interface Reservation {
  /** Its id begins with the second of `now` (`timeOrderedId`): that is the order in which an owner's oldest are found. */
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
  /** Hash of the PUT token; null where the PUT is found by its locator. */
  readonly putKey: string | null;
  readonly limits: Limits;
  /** Let the owner's oldest evictable uploads make room under `ownerBytes` and `purposeBytes`. */
  readonly evict: boolean;
  readonly lifetimes: Lifetimes;
  readonly now: number;
  /** For doors that learn of an upload by its PUT: reserve and claim in one. */
  readonly claim?: { readonly instance: string; readonly token: string };
}

export type LimitName = keyof Limits;

export type ReserveResult =
  | { readonly granted: true }
  | {
      readonly granted: false;
      readonly limit: LimitName;
      /** What counts against the limit now (bytes, or uploads for `uploadsPer`), without this request. */
      readonly used: number;
      readonly allowed: number;
      /** The moment from which the same request fits if nothing else comes; null where waiting cannot help. */
      readonly retryAt: number | null;
    }
  /** The locator is in use or was removed: for doors whose locators come from outside. */
  | {
      readonly granted: false;
      readonly limit: 'locator';
      readonly upload?: Upload;
      readonly removal?: Removal;
    };

export interface ClaimParams {
  readonly by: { readonly putKey: string } | { readonly locator: string };
  /** Random, names this claim in `commit` and `release`. */
  readonly token: string;
  /** The process that holds it, as in its heartbeats. */
  readonly instance: string;
  readonly now: number;
}

export type ClaimResult =
  | { readonly outcome: 'claimed'; readonly upload: Upload }
  /** Stored before. The same bytes again get 201 until its deadline. */
  | { readonly outcome: 'stored'; readonly upload: Upload }
  /** Another PUT holds the claim. */
  | { readonly outcome: 'receiving'; readonly upload: Upload }
  /** No such slot, or its deadline has passed. */
  | { readonly outcome: 'unknown' };

export interface CommitParams {
  readonly id: string;
  readonly token: string;
  readonly now: number;
  /** The true size, where the door could not know it before; the charge follows it. */
  readonly size: number;
}

export interface ReleaseParams {
  readonly id: string;
  readonly token: string;
  readonly now: number;
}

export interface RemoveParams {
  readonly ids: readonly string[];
  readonly reason: RemovalReason;
  readonly detail: string;
  readonly now: number;
}

export interface ForgetParams {
  readonly owner: string;
  readonly limit: number;
  readonly now: number;
}

export interface ForgetResult {
  readonly removed: number;
  readonly left: number;
}

/** `dryRun` counts what a step would take and changes nothing. */
export type SweepStep = { readonly limit: number; readonly now: number; readonly dryRun?: boolean } & (
  | { /** Slots whose deadline passed without a PUT. */ readonly kind: 'unused' }
  | {
      /** Claims of processes that have been silent since `silentSince`. */ readonly kind: 'dead_claims';
      readonly silentSince: number;
    }
  | {
      /** Uploads of one purpose stored at a moment or before. */ readonly kind: 'max_age';
      readonly purpose: string;
      readonly storedBefore: number;
      readonly detail: string;
    }
  | { /** Uploads whose own `expiresAt` has passed. */ readonly kind: 'expires_at' }
  | {
      /** The oldest evictable uploads of owners above `bytes`. */ readonly kind: 'soft_quota';
      readonly bytes: number;
      readonly lifetimes: Lifetimes;
      readonly detail: string;
    }
  | {
      /** Records, up to a moment, of removed slots of ours, which nobody can fill again. */
      readonly kind: 'records';
      readonly removedBefore: number;
    }
  | { /** Rate counters that no period reaches any more. */ readonly kind: 'upload_rates' | 'message_rates' }
  | { /** Answers kept for repeated requests, past their time. */ readonly kind: 'idempotency_keys' }
);

export interface SweepResult {
  /** Below `limit`: the step is done. */
  readonly count: number;
  readonly bytes: number;
}

export interface Instance {
  readonly id: string;
  /** Where `pid` means this process and no other. */
  readonly host: string;
  readonly pid: number;
  readonly now: number;
}

export interface Usage {
  /** Stored uploads. */
  readonly uploads: number;
  readonly bytes: number;
  /** Slots that wait for their PUT or are receiving it. */
  readonly pendingUploads: number;
  readonly pendingBytes: number;
}

export interface OwnerUsage extends Usage {
  readonly owner: string;
  readonly lastUploadAt: number | null;
}

export interface LedgerStats extends Usage {
  readonly owners: number;
  readonly removals: number;
}

export interface UploadQuery {
  readonly owner?: string;
  readonly state?: UploadState;
  readonly after?: string;
  /** Backwards: `after` is then the oldest of the page before. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

export interface RemovalQuery {
  readonly owner?: string;
  readonly reason?: RemovalReason;
  /** `removedAt` and locator of the last row of the page before; newest first. */
  readonly before?: { readonly removedAt: number; readonly locator: string };
  readonly limit: number;
}
