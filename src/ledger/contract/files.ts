import type { Upload, UploadState } from '../../base/upload-records.ts';
import type { LimitName, Limits } from './quota.ts';

/** Lists for people: sorted and filtered uploads, users by size, and the trash. */
export interface FileStore {
  /**
   * Lists uploads page by page. A filter is applied to at most `SCANNED_ROWS` rows, so a page may have few or no uploads although
   * `next` is not null.
   */
  listFiles(query: FileQuery): Promise<FileListPage>;
  /** Lists owners with slots or files, by name or with the largest first, page by page like `listFiles`. */
  listUsers(query: UserQuery): Promise<UserPage>;
  /** Sets the expiry of a stored upload of one of the owners. Returns undefined if there is none with this id. */
  setExpiry(params: {
    readonly id: string;
    readonly owners: readonly string[];
    readonly expiresAt: number | null;
  }): Promise<Upload | undefined>;

  /** Records the stored files and bytes as the sample of this hour. Keeps the first sample of an hour. */
  recordUsage(params: { readonly now: number }): Promise<void>;
  /** Lists the samples since a time, the oldest first. */
  listUsageHistory(query: { readonly since: number }): Promise<UsageSample[]>;

  /** Lists removed files that can be restored, those removed last first. */
  listTrash(query: TrashQuery): Promise<TrashedUpload[]>;
  /**
   * Restores files as stored uploads, and charges their owners. Ignores unknown ids. Files that would exceed `limits`, or whose hash
   * is blocked, stay in the trash.
   */
  restoreFromTrash(params: RestoreParams): Promise<RestoreResult>;
  /** Removes up to `limit` files from the trash. Their blobs become pending deletes. Returns the number of removed files. */
  purgeTrash(params: Partial<TrashSelection> & { readonly limit: number }): Promise<number>;
}

/** Rows that one page of a list examines at most. */
export const SCANNED_ROWS = 10_000;
/** Files that are sorted for a list by size or name, at most. */
export const SORTED_FILES = 20_000;
/** The size from which files have an index by size. */
export const LARGE_FILE_BYTES = 1_048_576;

export type FileSort = 'newest' | 'oldest' | 'largest' | 'smallest' | 'name';

export interface FileQuery {
  /** All names of one owner (`ownerNamesFor`). If absent, the files of all owners are listed. */
  readonly owners?: readonly string[];
  /** Only these files. */
  readonly ids?: readonly string[];
  /**
   * `newest` and `oldest` are the order of the reservations. `largest` and `smallest` without an owner, or with one that has more than
   * `SORTED_FILES`, list only files from `LARGE_FILE_BYTES`. `name` needs an owner with at most `SORTED_FILES`.
   */
  readonly sort: FileSort;
  readonly state: UploadState;
  /** Only stored files that were not scanned although scanning was on. */
  readonly isUnscanned?: boolean;
  /** Text in the name. Case is ignored, in SQLite only that of ASCII letters. */
  readonly text?: string;
  /** The beginning of the media type. */
  readonly type?: string;
  readonly minSize?: number;
  readonly maxSize?: number;
  /** Only files that were created at this time or later. */
  readonly createdFrom?: number;
  /** Only files that were created before this time. */
  readonly createdBefore?: number;
  /** `next` of the previous page. */
  readonly after?: PageKey;
  readonly limit: number;
}

/** The values of the sort columns of the last examined row. */
export type PageKey = readonly (string | number)[];

export interface FileListPage {
  readonly files: readonly Upload[];
  /** null at the end. */
  readonly next: PageKey | null;
}

export interface UserQuery {
  readonly sort: 'name' | 'largest';
  /** The beginning of the name. */
  readonly prefix?: string;
  readonly after?: PageKey;
  readonly limit: number;
}

export interface UserPage {
  readonly users: readonly {
    readonly owner: string;
    readonly uploads: number;
    readonly bytes: number;
    readonly pendingUploads: number;
    readonly pendingBytes: number;
    readonly lastUploadAt: number | null;
  }[];
  readonly next: PageKey | null;
}

/** The stored files of all owners at the beginning of an hour. */
export interface UsageSample {
  readonly at: number;
  readonly files: number;
  readonly bytes: number;
}

/** Samples are kept for this time. */
export const KEEP_USAGE_MS = 400 * 86_400_000;

/** A removed file that can be restored until `purgeAt`. */
export interface TrashedUpload
  extends Pick<Upload, 'id' | 'locator' | 'owner' | 'purpose' | 'name' | 'type' | 'size' | 'createdAt'> {
  readonly removedAt: number;
  /** The `detail` with which the file was removed (`RemoveParams`). */
  readonly removedBy: string;
  readonly purgeAt: number;
}

export interface TrashQuery extends Partial<TrashSelection> {
  /** Last file of the previous page. */
  readonly before?: { readonly removedAt: number; readonly id: string };
  readonly limit: number;
}

export interface RestoreParams extends TrashSelection {
  readonly limits: RestoreLimits;
  readonly now: number;
}

/** Limits of an owner, slots included. Limits per period are left out, because the upload of the file was charged to them. */
export interface RestoreLimits extends Pick<Limits, 'ownerBytes' | 'ownerFiles' | 'globalBytes'> {
  /** The owner's bytes under single purposes. */
  readonly purposeBytes: Readonly<Record<string, number | null>>;
}

export const unlimitedRestore: RestoreLimits = {
  ownerBytes: null,
  ownerFiles: null,
  globalBytes: null,
  purposeBytes: {},
};

export interface RestoreResult {
  readonly restored: readonly Upload[];
  /** Files that stay in the trash, and why: their hash is blocked, or they would exceed this limit. */
  readonly kept: readonly { readonly id: string; readonly reason: 'blocked' | LimitName }[];
}

export interface TrashSelection {
  readonly ids: readonly string[];
  /** Only files of these owners. */
  readonly owners?: readonly string[];
}
