import type { Upload } from '../base/upload-records.ts';

/** A stored upload that was asked for lately. */
export interface CachedFile {
  readonly upload: Upload;
  /** `performance.now()` up to which the ledger's word is taken without asking again. */
  readonly freshUntil: number;
  /** Its bytes, where they are few. */
  readonly body: Buffer | undefined;
  /** What a door has worked out from the upload and wants to find again; lasts as long as the upload is the same. */
  headers: unknown;
}

/** Files that are asked for again and again, bounded in number and bytes; the least recently asked goes first. */
export interface FileCache {
  /** Where the ledger's word on it is still fresh. */
  get(locator: string): CachedFile | undefined;
  /** The ledger is about to be asked. Every look-up is ended. */
  beginLookup(locator: string): PendingLookup;
  /** What the ledger said. Kept, unless the file was forgotten since the look-up began. */
  endLookup(lookUp: PendingLookup, upload: Upload | undefined): CachedFile | undefined;
  /** Keeps the bytes of a file that is hot, where they are few enough. */
  setBody(upload: Upload, body: Buffer): void;
  /** Call it for every removal in this process: from now on its GETs ask the ledger. */
  invalidate(locator: string): void;
}

export interface PendingLookup {
  readonly locator: string;
  readonly startedAt: number;
  invalidated: boolean;
}

export interface FileCacheOptions {
  readonly maxFiles?: number;
  /** Bytes of all bodies together. */
  readonly maxBytes?: number;
  /** Milliseconds for which the ledger's word is taken: within them another process's removal takes effect. */
  readonly ttlMs?: number;
}

/** Bodies up to this many bytes are kept. */
export const MAX_CACHED_BODY = 64 * 1024;

export function createFileCache(options: FileCacheOptions = {}): FileCache {
  const { maxFiles = 10_000, maxBytes = 32 * 1024 * 1024, ttlMs = 1000 } = options;
  const files = new Map<string, CachedFile>();
  const lookUps = new Map<string, Set<PendingLookup>>();
  let bytes = 0;

  function drop(locator: string): void {
    bytes -= files.get(locator)?.body?.length ?? 0;
    files.delete(locator);
  }

  function keep(file: CachedFile): CachedFile {
    drop(file.upload.locator);
    files.set(file.upload.locator, file);
    bytes += file.body?.length ?? 0;
    for (const oldest of files.keys()) {
      if (files.size <= maxFiles && bytes <= maxBytes) break;
      drop(oldest);
    }
    return file;
  }

  return {
    get(locator) {
      const file = files.get(locator);
      if (file === undefined || performance.now() >= file.freshUntil) return undefined;
      files.delete(locator);
      files.set(locator, file);
      return file;
    },
    beginLookup(locator) {
      const lookUp = { locator, startedAt: performance.now(), invalidated: false };
      const others = lookUps.get(locator);
      if (others) others.add(lookUp);
      else lookUps.set(locator, new Set([lookUp]));
      return lookUp;
    },
    endLookup(lookUp, upload) {
      const { locator, startedAt, invalidated } = lookUp;
      const others = lookUps.get(locator);
      others?.delete(lookUp);
      if (others?.size === 0) lookUps.delete(locator);
      if (upload?.state !== 'stored') {
        drop(locator);
        return undefined;
      }
      const known = files.get(locator);
      const body = known?.upload.id === upload.id ? known.body : undefined;
      const headers = known && isSame(known.upload, upload) ? known.headers : undefined;
      const file: CachedFile = { upload, freshUntil: startedAt + ttlMs, body, headers };
      return invalidated ? file : keep(file);
    },
    setBody({ id, locator }, body) {
      const file = files.get(locator);
      if (file?.upload.id === id && !file.body && body.length <= MAX_CACHED_BODY) keep({ ...file, body });
    },
    invalidate(locator) {
      drop(locator);
      for (const lookUp of lookUps.get(locator) ?? []) lookUp.invalidated = true;
    },
  };
}

function isSame(one: Upload, other: Upload): boolean {
  return (
    one.id === other.id &&
    one.size === other.size &&
    one.storedAt === other.storedAt &&
    one.expiresAt === other.expiresAt
  );
}
