import type { Endpoint, Upload } from '../../base/upload-records.ts';

/** Infected files in quarantine, and hashes by which files are blocked. */
export interface ContentStore {
  /**
   * Removes an upload whose file is infected, refunds its quota, and records the file. Its bytes stay under the key of the
   * attempt, or become a pending delete. A record with the same locator is replaced. Returns false, and records nothing, if the
   * attempt has no slot or claim any more; then its bytes become a pending delete.
   */
  quarantine(params: QuarantineParams): Promise<boolean>;
  /** Finds the record of an infected file by the link of its PUT. */
  findQuarantined(by: QuarantineKey): Promise<QuarantinedFile | undefined>;
  /** Lists infected files, those found last first. */
  listQuarantine(query: QuarantineQuery): Promise<QuarantinedFile[]>;
  /**
   * Stores an infected file as the upload that it should have become, and charges its owner without a limit. Returns undefined if
   * there is no such file, its bytes are not kept, or its link is in use again.
   */
  releaseQuarantined(params: { readonly id: string; readonly now: number }): Promise<Upload | undefined>;
  /**
   * Deletes the records with these ids, or all records if `ids` is absent, at most `limit`. Their blobs become pending deletes.
   * Returns the number of deleted records.
   */
  deleteQuarantined(params: { readonly ids?: readonly string[]; readonly limit: number }): Promise<number>;

  /** Returns false if the hash is blocked already. */
  blockHash(hash: BlockedHash): Promise<boolean>;
  /** Returns false if the hash is not blocked. */
  unblockHash(sha256: string): Promise<boolean>;
  findBlockedHash(sha256: string): Promise<BlockedHash | undefined>;
  /** Lists blocked hashes, those blocked last first. */
  listBlockedHashes(query: BlockedHashQuery): Promise<BlockedHash[]>;
  /** Returns whether any hash is blocked. */
  hasBlockedHashes(): Promise<boolean>;

  /** Records the hash of a stored file. Returns false if the file was removed or has another `blob` now. */
  recordHash(params: Pick<Upload, 'id' | 'blob'> & { readonly sha256: string }): Promise<boolean>;
  /** Lists stored files with this hash by id. */
  listByHash(query: {
    readonly sha256: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<Upload[]>;
}

/** The slot of a PUT, as in `ClaimParams.by`. */
export type QuarantineKey = { readonly putKey: string } | { readonly locator: string };

export interface QuarantineParams {
  /** The upload with the key of this attempt. */
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
    | 'createdAt'
    | 'deadline'
    | 'expiresAt'
  >;
  /** The attempt has a claim with this token, an issued slot, or no row yet. */
  readonly holds: { readonly claim: string } | 'slot' | 'nothing';
  readonly sha256: string | null;
  /** The scanner's name for the malware. */
  readonly signature: string;
  readonly keepsBytes: boolean;
  readonly now: number;
  /** When the record and the bytes are deleted. */
  readonly purgeAt: number;
}

/** An infected file that was not stored. */
export interface QuarantinedFile {
  readonly id: string;
  readonly locator: string;
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** null: the bytes are not kept. */
  readonly blob: string | null;
  readonly sha256: string | null;
  readonly signature: string;
  readonly foundAt: number;
  readonly purgeAt: number;
}

export interface QuarantineQuery {
  /** Only the file with this id. */
  readonly id?: string;
  /** Last file of the previous page. */
  readonly before?: { readonly foundAt: number; readonly id: string };
  readonly limit: number;
}

/** Files with this content are refused. */
export interface BlockedHash {
  /** Hex. */
  readonly sha256: string;
  readonly reason: string;
  /** The account that has blocked it, or another name, as in `AuditEntry.actor`. */
  readonly blockedBy: string;
  readonly blockedAt: number;
  /** Bytes of the file; null = unknown. */
  readonly size: number | null;
}

export interface BlockedHashQuery {
  /** Last row of the previous page. */
  readonly before?: Pick<BlockedHash, 'blockedAt' | 'sha256'>;
  readonly limit: number;
}
