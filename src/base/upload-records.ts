/**
 * Records that all layers share. Times are milliseconds since 1970, sizes are bytes, `null` means "none" or "never".
 */

/** The endpoint at which the permission to upload was presented. */
export type Endpoint =
  | 'component'
  | 'slot_api'
  | 'external'
  | 'file_share'
  | 'messages'
  | 'admin'
  | 'import'
  | 'web';

/**
 * - `issued`: the slot is granted and unused.
 * - `receiving`: one PUT holds the claim.
 * - `stored`: the file is complete, durable and visible.
 */
export type UploadState = 'issued' | 'receiving' | 'stored';

/**
 * Whether a stored file was scanned for malware. An infected file is not stored.
 *
 * - `unavailable`: the scanner did not answer.
 * - `too_large`: larger than the scanner accepts.
 */
export type ScanState = 'clean' | 'unavailable' | 'too_large';

/** The results of the content checks of a file. */
export interface ContentFacts {
  /** Hex SHA-256. Null if it was not computed. */
  readonly sha256: string | null;
  /** Null if the file was stored while scanning was off. */
  readonly scan: ScanState | null;
}

/** A slot and the file uploaded to it: one row of the ledger. */
export interface Upload {
  /** 26 characters; also the first ones of the blob's name, and the strong ETag of its bytes. */
  readonly id: string;
  /** The key by which a GET finds it: the id for Porter's slots, `external:` + hash of the decoded path for signed links. */
  readonly locator: string;
  /** Bare JID, or a stable key for clients without a known JID. */
  readonly owner: string;
  readonly endpoint: Endpoint;
  /** The purpose (XEP-0363 1.2.0), or `''` if none was requested. */
  readonly purpose: string;
  /** The file name that the client gave. Never a path. */
  readonly name: string;
  /** The media type of downloads. */
  readonly type: string;
  /** The declared size; for a stored upload the actual one. */
  readonly size: number;
  readonly state: UploadState;
  /** The key of the bytes (`base/blob-keys.ts`): of the stored file, or of the PUT that holds the claim. */
  readonly blob: string;
  /** The key of the bytes until the file has its public name `blob` (`downloads.via: webserver`); absent otherwise. */
  readonly unpublishedBlob?: string;
  readonly createdAt: number;
  /** The PUT must start before this time. Until then, a repeated PUT of the same bytes is answered with 201. */
  readonly deadline: number;
  /** The time at which the last byte was durable. Null if the upload is not stored yet. */
  readonly storedAt: number | null;
  /** The time of the last PUT of an issued slot; 0 if it is unknown. Absent if there was no PUT. */
  readonly lastPutAt?: number;
  /** The expiry given in the request (`expire-before`, JWT `expires`). Retention may remove the file sooner. */
  readonly expiresAt: number | null;
  /** Hex SHA-256 of the stored file. Absent if it was not computed. */
  readonly sha256?: string;
  /** Absent if the file was stored while scanning was off. */
  readonly scan?: ScanState;
}

/** The reason of a removal. Recorded for `porter why`, and so that the link is not used again. */
export type RemovalReason =
  | 'unused' // the slot expired without a PUT
  | 'expired' // past its retention, or the expiry given in its request
  | 'soft_quota' // the oldest file of an owner above retention.soft_quota
  | 'evicted' // made room for a newer file (when_full: evict)
  | 'deleted' // by its owner or an admin
  | 'forgotten' // all data of the owner was deleted (porter forget)
  | 'missing'; // its blob was lost; fsck --repair

export interface Removal {
  readonly locator: string;
  readonly id: string;
  /** Empty after `porter forget`, as is the name. */
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly size: number;
  /** False for a slot without a file. */
  readonly stored: boolean;
  readonly createdAt: number;
  readonly removedAt: number;
  readonly reason: RemovalReason;
  /** The rule as text: `max_age 30d`, `deleted by admin@example.org`. */
  readonly detail: string;
}
