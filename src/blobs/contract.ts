import type { DiskSpace } from '../base/system-resources.ts';

/**
 * Stores the bytes of uploads by key (see `base/blob-keys.ts`). Porter chooses the key, never a client.
 *
 * A blob is written once and never changed. A failed `put` leaves nothing behind. The ledger decides whether a blob may be
 * served: a store may show incomplete bytes under their key. All errors are `BlobError`s with the original as the cause.
 */
export interface BlobStore {
  /**
   * Writes a blob from batches of chunks. A batch belongs to the store until it asks for the next one, which the source
   * collects meanwhile. Resolves with the number of bytes once they are durable (with `sync`). Rejects with the source's own
   * error if the source fails, else with a `BlobError`. `size`: the number of bytes to expect, if known.
   */
  put(key: string, batches: AsyncIterable<readonly Uint8Array[]>, size?: number): Promise<number>;

  /**
   * Writes the next bytes of a blob that is written by several calls, one after the other, and discards all bytes behind `offset`.
   * Keeps the bytes that have arrived if the source fails. Rejects with a `BlobError` of the kind `missing` if the store does not have
   * the bytes before `offset`. A call without bytes may follow when the blob is complete. The key must come from `resumableBlobKey`.
   */
  append(
    key: string,
    batches: AsyncIterable<readonly Uint8Array[]>,
    options: AppendOptions,
  ): Promise<AppendResult>;

  /** Returns whether `append` can continue at `offset`. */
  canAppend(key: string, at: Pick<AppendOptions, 'offset' | 'size'>): Promise<boolean>;

  /**
   * Adds a regular local file by a hard link. Resolves with its size in bytes when it is as durable as after a `put`, or with
   * undefined if the file must be copied instead. Replaces an existing blob. Absent if the store does not support links.
   */
  linkFile?(key: string, file: string): Promise<number | undefined>;

  /**
   * Creates an empty local file that `linkFile` can add later, for bytes that arrive before they have a key. Resolves with its
   * path. The caller removes the file. Absent if the store does not support links.
   */
  createSpoolFile?(): Promise<string>;

  /**
   * Removes spool files that were written last before `before` (ms since 1970): those of a killed process. Resolves with their
   * number. A process that still uses one keeps its open file.
   */
  removeSpoolFiles?(before: number): Promise<number>;

  /**
   * Gives a complete blob another key, as durable as after a `put`, and removes the old one. Does nothing if that has been
   * done. Absent if only Porter reads the store. May be called by several processes at once.
   */
  publish?(key: string, publicKey: string): Promise<void>;

  /**
   * Opens a blob for reading. Resolves with undefined if there is none. A blob that is removed while open stays readable.
   * `first`: the range to be read first, if not the whole blob; a remote store requests only that.
   */
  open(key: string, first?: ByteRange): Promise<OpenBlob | undefined>;

  /** Resolves with the size of a blob in bytes, or with undefined if there is none. */
  size(key: string): Promise<number | undefined>;

  /** Removes blobs. Ignores missing ones. If one fails, still removes the others. Resolves with those that could not be removed. */
  remove(keys: readonly string[]): Promise<readonly FailedRemoval[]>;

  /**
   * Moves a blob, or the remains of an unfinished write, to `lost+found/` in the store, where Porter neither lists nor serves
   * it. Never replaces a file there. Resolves with its name in the store, or with undefined if there is nothing to keep.
   */
  moveToLostAndFound(key: string): Promise<string | undefined>;

  /** Yields all blobs and the remains of unfinished writes, in any order; only those whose keys pass `filter`. */
  list(filter?: (key: string) => boolean): AsyncIterable<StoredBlob>;

  /**
   * Removes unfinished writes without new data since `before` (ms since 1970) and returns their number. Absent if
   * unfinished writes are found under the key of their blob.
   */
  removeAbandonedWrites?(before: number): Promise<number>;

  /** Returns a URL that fetches the blob directly from the store. Absent if the store has no such URLs. */
  presignUrl?(key: string, options: PresignOptions): Promise<string>;

  /** Resolves with the space of the store's file system, or with undefined if the store does not report it. */
  space(): Promise<DiskSpace | undefined>;

  /** Rejects with a `BlobError` if the store cannot be written now. */
  checkWritable(): Promise<void>;

  /** Returns the id in the marker of the store, or undefined if the store has no marker. */
  readIdentity(): Promise<string | undefined>;

  /**
   * Writes the marker with this id. Without `replace`, an existing marker may stay: read the id afterwards. Resolves once
   * the marker is durable (with `sync`).
   */
  writeIdentity(id: string, options?: { readonly replace: boolean }): Promise<void>;

  close(): Promise<void>;
}

export interface AppendOptions {
  /** Bytes that earlier calls have written and reported as durable. */
  readonly offset: number;
  /** Bytes of the whole blob. The source must not have more than are missing. */
  readonly size: number;
  /** True if the blob is to be complete after this call: then it can be opened, provided that all bytes are there. */
  readonly complete: boolean;
  /** Called during the call with the number of bytes that are durable. The store continues when it has resolved. */
  readonly onDurable: (offset: number) => Promise<void>;
}

export interface AppendResult {
  /** Bytes that are durable now (with `sync`). */
  readonly offset: number;
  /** Present if the source has failed. */
  readonly failure?: unknown;
}

/** Wraps a source so that it ends instead of throwing. `failure()` then returns the error. */
export function captureFailure(batches: AsyncIterable<readonly Uint8Array[]>): {
  readonly batches: AsyncIterable<readonly Uint8Array[]>;
  failure(): { readonly failure: unknown } | undefined;
} {
  let failed: { readonly failure: unknown } | undefined;
  async function* capturing() {
    try {
      yield* batches;
    } catch (failure) {
      failed = { failure };
    }
  }
  return { batches: capturing(), failure: () => failed };
}

/** A blob that could not be removed. */
export interface FailedRemoval {
  readonly key: string;
  readonly error: BlobError;
}

/** Bytes from `start` up to, but not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A blob that is open for reading. */
export interface OpenBlob {
  readonly size: number;
  /**
   * Yields the bytes from `start` up to, but not including, `end`. A chunk belongs to the reader until it asks for the next
   * one. The store reads one chunk ahead. The iteration may end early.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Must be called once, after every `read` has ended. */
  close(): Promise<void>;
}

/** The validity of a presigned URL, and the headers of its response. */
export interface PresignOptions {
  /** Ms since 1970. The same options give the same URL. */
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

export type BlobErrorKind = 'full' | 'denied' | 'missing' | 'exists' | 'busy' | 'failed';

/** A failure of the blob store. `full` becomes status 507. `busy`: it works, but has too many requests. */
export class BlobError extends Error {
  readonly kind: BlobErrorKind;

  constructor(kind: BlobErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'BlobError';
    this.kind = kind;
  }
}

const KEY = /^[0-9a-z]{2}\/[0-9a-z]{1,64}(?:\.[0-9a-z]{1,10}){1,2}$/;

/** Returns whether a text is a blob key. Porter ignores all files and objects whose names are not. */
export const isBlobKey = (text: string): boolean => KEY.test(text);

/** Returns the key. Throws `BlobError` if it is not a blob key, because it could name a file outside of the store. */
export function checkedBlobKey(key: string): string {
  if (!isBlobKey(key)) throw new BlobError('failed', 'Invalid blob key.');
  return key;
}

/** Yields the bytes of an open blob in batches, as `BlobStore.put` expects them. */
export async function* readBatches(blob: OpenBlob): AsyncGenerator<readonly Uint8Array[]> {
  for await (const chunk of blob.read(0, blob.size)) yield [chunk];
}

/** Name of the file or object, in the root of the store, that holds its identity. It is not a blob key. */
export const MARKER_NAME = 'porter-store-id';

/** Folder or prefix, in the root of the store, of the files that `porter fsck --repair` has set aside. */
export const LOST_AND_FOUND = 'lost+found';

/** Returns a free name for a blob in lost+found: the file name of the key, after a number if an earlier blob has that name. */
export async function findLostAndFoundName(
  key: string,
  isFree: (name: string) => Promise<boolean>,
): Promise<string> {
  const name = key.slice(key.lastIndexOf('/') + 1);
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${number}-${name}`;
    if (await isFree(candidate)) return candidate;
  }
}

/** Returns the content of the marker. */
export function formatMarker(id: string): string {
  return `${id}\nThis file ties the stored files to the database of Porter. Do not change or remove it.\n`;
}

/** Returns the id in a marker. For a damaged marker, returns a text that differs from every id. */
export function parseMarker(text: string): string {
  return text.split('\n', 1)[0]?.trim() ?? '';
}
