import type { Removal, RemovalReason, Upload, UploadState } from '../../base/upload-records.ts';

/** Lists, deletion of owners, imports and checks. Used by the commands of the admin and by `GET` of old links. */
export interface AdminStore {
  /** Lists uploads by id. An id begins with the second of its reservation, so the oldest uploads come first. */
  listUploads(query: UploadQuery): Promise<Upload[]>;
  /** Lists removal records, the latest first. */
  listRemovals(query: RemovalQuery): Promise<Removal[]>;
  /** Finds the owner whose JID has this hex SHA-1. */
  findOwnerBySha1(sha1: string): Promise<string | undefined>;
  /**
   * Removes up to `limit` uploads and as many queued messages of an owner, its refusals, and its name from all records.
   * The owner is deleted when `left` is 0.
   */
  forget(params: ForgetParams): Promise<ForgetResult>;

  /**
   * Announces up to 1,000 blobs before an import writes them, so that `porter fsck` does not take them for orphans. Returns the
   * keys among them that are pending deletes. They must not be written: another process may be deleting them at this moment.
   */
  announceImports(params: AnnounceImportsParams): Promise<string[]>;
  /**
   * Inserts up to 1,000 files of another service as stored uploads. Charges their owners without any limit. Skips files
   * whose locator or id is in use or was removed. Returns the ids of the inserted uploads. Their blobs must exist already.
   * Ends the announcements. An announced blob whose upload has no row afterwards becomes a pending delete.
   */
  importUploads(params: ImportUploadsParams): Promise<string[]>;
  /** Records the path below which links of another service begin, or changes its namespace. */
  addOldPath(oldPath: OldPath): Promise<void>;
  listOldPaths(): Promise<OldPath[]>;

  /** Returns which of up to 1,000 ids have an upload of any state. Used by `porter fsck`. */
  findExistingIds(ids: readonly string[]): Promise<string[]>;
  /** Returns which of up to 1,000 blob keys an import has announced within `IMPORT_TIMEOUT_MS`. Used by `porter fsck`. */
  findImportingBlobs(params: { readonly blobs: readonly string[]; readonly now: number }): Promise<string[]>;
  /**
   * Takes up to 1,000 blob keys, each with the upload id that it contains. Returns all blob keys of the uploads with these ids,
   * and those of the given keys that are pending deletes.
   */
  findKnownBlobs(keys: readonly { readonly id: string; readonly blob: string }[]): Promise<string[]>;
}

export interface UploadQuery {
  readonly owner?: string;
  readonly state?: UploadState;
  /** Last id of the previous page. */
  readonly after?: string;
  /** Reverses the order: the next page has ids smaller than `after`. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

export interface RemovalQuery {
  readonly owner?: string;
  readonly reason?: RemovalReason;
  /** Last row of the previous page. */
  readonly before?: { readonly removedAt: number; readonly locator: string };
  readonly limit: number;
}

export interface ForgetParams {
  readonly owner: string;
  readonly limit: number;
  readonly now: number;
  /** As in `RemoveParams`. */
  readonly withoutRecord?: boolean;
}

export interface ForgetResult {
  /** The removed uploads: their number, their bytes and their locators. */
  readonly removed: number;
  readonly bytes: number;
  readonly locators: readonly string[];
  /** Uploads that are left, plus 1 if removal records and 1 if queued messages are left. */
  readonly left: number;
}

export type AnnouncedImport = Pick<Upload, 'id' | 'blob'>;

export interface AnnounceImportsParams {
  readonly imports: readonly AnnouncedImport[];
  readonly now: number;
}

export interface ImportUploadsParams {
  readonly uploads: readonly ImportedUpload[];
  readonly announced?: readonly AnnouncedImport[];
}

/** An announced blob that has no upload after this time (in milliseconds) belongs to an import that was killed. */
export const IMPORT_TIMEOUT_MS = 24 * 3600_000;

/** A file of another service. */
export interface ImportedUpload
  extends Pick<
    Upload,
    'id' | 'locator' | 'owner' | 'purpose' | 'name' | 'type' | 'size' | 'blob' | 'expiresAt'
  > {
  readonly storedAt: number;
}

/** The locator of a link below `path` (which begins and ends with a slash) is `namespace:` and the hash of the rest of its path. */
export interface OldPath {
  readonly path: string;
  readonly namespace: string;
}
