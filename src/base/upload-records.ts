/**
 * The records that travel between the rooms of the house. Times are milliseconds since 1970,
 * sizes are bytes, `null` means "none" or "never".
 */

/** How a right to upload came to us. A locator belongs to one namespace: the slot doors share `slot`. */
export type Endpoint = 'component' | 'slot_api' | 'external' | 'file_share' | 'messages' | 'admin' | 'import';

/**
 * `issued`: a slot waits for its PUT; `receiving`: one PUT holds the claim;
 * `stored`: whole, durable and visible.
 */
export type UploadState = 'issued' | 'receiving' | 'stored';

/** A slot and what became of it: one row of the ledger. */
export interface Upload {
  /** 26 characters; also the stem of the blob's key, and the strong validator of its bytes. */
  readonly id: string;
  /** How a GET finds it: the id for slots of ours, `external:` + hash of the decoded path for signed links. */
  readonly locator: string;
  /** Bare JID, or the stable key a door gives where it knows no JID. */
  readonly owner: string;
  readonly endpoint: Endpoint;
  /** XEP-0363 1.2.0 purpose, or `''` where none was asked for. */
  readonly purpose: string;
  /** The file's name as the client gave it. Never a path. */
  readonly name: string;
  /** Media type that is served. */
  readonly type: string;
  /** Declared size; of a stored upload the true one. */
  readonly size: number;
  readonly state: UploadState;
  readonly blob: string;
  readonly createdAt: number;
  /** The PUT must start before it, and a repeated PUT of the same bytes is answered 201 until then. */
  readonly deadline: number;
  /** When the last byte was durable; null before. */
  readonly storedAt: number | null;
  /** A moment that the request itself named (`expire-before`, JWT `expires`); retention may end it sooner. */
  readonly expiresAt: number | null;
}

/** Why an upload is no more. Kept on record, so that `porter why` can answer, and as a tombstone. */
export type RemovalReason =
  | 'unused' // the slot's time passed without a PUT
  | 'expired' // older than its retention, or than the moment its request named
  | 'soft_quota' // the oldest of an owner above retention.soft_quota
  | 'evicted' // made room for a newer one (when_full: evict)
  | 'deleted' // by its owner or an admin
  | 'forgotten' // the whole owner was forgotten
  | 'missing'; // its blob was lost; fsck --repair

export interface Removal {
  readonly locator: string;
  readonly id: string;
  /** Emptied when its owner is forgotten, as is the name. */
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly size: number;
  /** Was it ever stored, or only a slot? */
  readonly stored: boolean;
  readonly createdAt: number;
  readonly removedAt: number;
  readonly reason: RemovalReason;
  /** The rule in words: `max_age 30d`, `deleted by admin@example.org`. */
  readonly detail: string;
}
