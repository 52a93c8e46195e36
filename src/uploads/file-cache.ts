import { LRUCache } from 'lru-cache';
import type { Upload } from '../base/upload-records.ts';

/** A stored upload that was requested recently. */
export interface CachedFile {
  readonly upload: Upload;
  /** Until this `performance.now()`, the entry is used without asking the ledger again. */
  readonly freshUntil: number;
  /** The content of a small file. */
  readonly body: Buffer | undefined;
  /** Response headers that the endpoint has computed from the upload. Kept as long as the upload stays the same. */
  headers: unknown;
}

/**
 * Caches requested files, bounded in number and bytes. Removes the least recently used entries first.
 *
 * Another process may remove a file at any time, so an entry is fresh for a second only. A removal in this process
 * takes effect at once (`invalidate`), even if a lookup of the same file is under way.
 */
export interface FileCache {
  /** Returns the entry if it is fresh. */
  get(locator: string): CachedFile | undefined;
  /** Call before asking the ledger. Every lookup ends with `endLookup`. */
  beginLookup(locator: string): PendingLookup;
  /** Returns the entry for the upload, and caches it unless the file was invalidated since the lookup began. */
  endLookup(lookup: PendingLookup, upload: Upload | undefined): CachedFile | undefined;
  /** Adds the content of a cached file if it is small enough. */
  setBody(upload: Upload, body: Buffer): void;
  /** Call after each removal in this process. The next request asks the ledger. */
  invalidate(locator: string): void;
}

export interface PendingLookup {
  readonly locator: string;
  readonly startedAt: number;
  invalidated: boolean;
}

export interface FileCacheOptions {
  readonly maxFiles?: number;
  /** Bytes of all cached bodies together. */
  readonly maxBytes?: number;
  /** Milliseconds for which an entry is fresh, from the start of its lookup. */
  readonly ttlMs?: number;
}

/** The largest body that is cached, in bytes. */
export const MAX_CACHED_BODY = 64 * 1024;

export function createFileCache(options: FileCacheOptions = {}): FileCache {
  const { maxFiles = 10_000, maxBytes = 32 * 1024 * 1024, ttlMs = 1000 } = options;
  const files = new LRUCache<string, CachedFile>({
    max: maxFiles,
    maxSize: maxBytes,
    sizeCalculation: ({ body }) => body?.length || 1,
  });
  const lookups = new Map<string, Set<PendingLookup>>();

  return {
    get(locator) {
      const file = files.get(locator);
      return file === undefined || performance.now() >= file.freshUntil ? undefined : file;
    },
    beginLookup(locator) {
      const lookup = { locator, startedAt: performance.now(), invalidated: false };
      const others = lookups.get(locator);
      if (others) others.add(lookup);
      else lookups.set(locator, new Set([lookup]));
      return lookup;
    },
    endLookup(lookup, upload) {
      const { locator, startedAt, invalidated } = lookup;
      const others = lookups.get(locator);
      others?.delete(lookup);
      if (others?.size === 0) lookups.delete(locator);
      if (upload?.state !== 'stored') {
        files.delete(locator);
        return undefined;
      }
      const known = files.peek(locator);
      const body = known?.upload.id === upload.id ? known.body : undefined;
      const headers = known && isSameUpload(known.upload, upload) ? known.headers : undefined;
      const file: CachedFile = { upload, freshUntil: startedAt + ttlMs, body, headers };
      if (!invalidated) files.set(locator, file);
      return file;
    },
    setBody({ id, locator }, body) {
      const file = files.peek(locator);
      if (file?.upload.id === id && !file.body && body.length <= MAX_CACHED_BODY)
        files.set(locator, { ...file, body });
    },
    invalidate(locator) {
      files.delete(locator);
      for (const lookup of lookups.get(locator) ?? []) lookup.invalidated = true;
    },
  };
}

function isSameUpload(one: Upload, other: Upload): boolean {
  return (
    one.id === other.id &&
    one.size === other.size &&
    one.storedAt === other.storedAt &&
    one.expiresAt === other.expiresAt
  );
}
