/**
 * The bytes, by key. A key is `ab/<id>.<ext>` (see `uploads/links.ts`), made by us and never by a client.
 *
 * A blob is written once and never changed. Nothing that a failed `put` wrote is left behind. Whether a blob
 * may be seen is the ledger's business: a store may show bytes under their key before they are whole.
 * Native failures become `BlobError`s at this edge, with the cause kept.
 */
export interface BlobStore {
  /**
   * Writes a blob from batches of chunks as they come. A batch belongs to the store until it asks for the next
   * (a store that needs it longer copies it); the source gathers the next one meanwhile.
   * Resolves with the bytes written once they are durable (with `sync`), rejects with the source's own error
   * where that fails, else with a `BlobError`. `size`, where it is given, is what the source has promised: bytes.
   */
  put(key: string, batches: AsyncIterable<readonly Uint8Array[]>, size?: number): Promise<number>;

  /**
   * Takes a regular file of this machine in without copying it and resolves with its bytes, durable as those of a
   * `put`; undefined where that cannot be done and it has to be copied. Whatever lies under the key is replaced.
   * A store that never can leaves this out.
   */
  linkFile?(key: string, file: string): Promise<number | undefined>;

  /**
   * A blob for reading, or undefined where there is none. What is being read stays readable to its end if the blob is
   * removed meanwhile. `first`: what will be read first, where not all of it; a store far away asks for no more.
   */
  open(key: string, first?: ByteRange): Promise<OpenBlob | undefined>;

  /** Bytes of a blob, or undefined where there is none. */
  size(key: string): Promise<number | undefined>;

  /** Removes blobs; those that are not there are no error. */
  remove(keys: readonly string[]): Promise<void>;

  /** Everything that lies in the store, leftovers of writes included. For fsck; order is not promised. */
  list(): AsyncIterable<StoredBlob>;

  /**
   * Removes what broken writes have left where no blob is ever looked for, unless something came to it since
   * `before` (ms since 1970); returns how many. A store whose leftovers lie under a key leaves this out.
   */
  removeAbandonedWrites?(before: number): Promise<number>;

  /** A link by which anybody can fetch the blob from the store itself. A store without such links leaves this out. */
  presignUrl?(key: string, order: PresignOptions): Promise<string>;

  /** Room that is left, or undefined where a store has no such notion. */
  space(): Promise<{ readonly free: number; readonly total: number } | undefined>;

  /** Rejects with a `BlobError` where the store cannot take writes now. */
  checkWritable(): Promise<void>;

  close(): Promise<void>;
}

/** Bytes from `start` up to, but not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface OpenBlob {
  readonly size: number;
  /**
   * The bytes from `start` up to, not including, `end`. A chunk is the reader's until it asks for the next;
   * the store reads one chunk ahead meanwhile. Ending the iteration early is fine.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Must be called once, after every `read` has ended. */
  close(): Promise<void>;
}

/** What a link is good for, and what the store says in the headers of its answer. */
export interface PresignOptions {
  /** Ms since 1970; the same order gives the same link. */
  readonly signedAt: number;
  /** Seconds from `signedAt`, at least 1. */
  readonly lifetimeSeconds: number;
  readonly type: string;
  readonly disposition: string;
  readonly cacheControl: string;
}

export interface StoredBlob {
  readonly key: string;
  readonly size: number;
  readonly modifiedAt: number;
}

export type BlobErrorKind = 'full' | 'denied' | 'missing' | 'exists' | 'failed';

/** A store's failure, in our words. `full` becomes 507 at every door. */
export class BlobError extends Error {
  readonly kind: BlobErrorKind;

  constructor(kind: BlobErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'BlobError';
    this.kind = kind;
  }
}
