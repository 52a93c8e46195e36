import type { Upload } from '../base/records.ts';

/** A stored upload that was asked for lately. */
export interface HotFile {
  upload: Upload;
  /** `performance.now()` up to which the ledger's word is taken without asking again. */
  trustedUntil: number;
  /** Its bytes, where they are few. */
  body: Buffer | undefined;
  /** What a door has worked out from the upload and wants to find again; a new upload record empties it. */
  derived: unknown;
}

/** Files that are asked for again and again, bounded in number and bytes; the least recently asked goes first. */
export interface HotFiles {
  /** Trusted or not: see `trustedUntil`. */
  get(locator: string): HotFile | undefined;
  put(locator: string, upload: Upload, trustedUntil: number): HotFile;
  /** Keeps the bytes of a file that is hot, where they are few enough. */
  keepBody(locator: string, body: Buffer): void;
  /** Call it for every removal in this process: from now on its GETs ask the ledger. */
  forget(locator: string): void;
  /** How often `forget` was called: what was looked up before may be outdated. */
  readonly forgotten: number;
}

export interface HotOptions {
  readonly maxFiles?: number;
  /** Bytes of all bodies together. */
  readonly maxBytes?: number;
  /** Bytes of one body. */
  readonly maxBody?: number;
}

export const SMALL_BODY = 64 * 1024;

export function createHotFiles(options: HotOptions = {}): HotFiles {
  const { maxFiles = 10_000, maxBytes = 32 * 1024 * 1024, maxBody = SMALL_BODY } = options;
  const files = new Map<string, HotFile>();
  let bytes = 0;
  let forgotten = 0;

  function drop(locator: string): void {
    bytes -= files.get(locator)?.body?.length ?? 0;
    files.delete(locator);
  }

  function shrink(): void {
    for (const oldest of files.keys()) {
      if (files.size <= maxFiles && bytes <= maxBytes) return;
      drop(oldest);
    }
  }

  return {
    get(locator) {
      const file = files.get(locator);
      if (file === undefined) return undefined;
      files.delete(locator);
      files.set(locator, file);
      return file;
    },
    put(locator, upload, trustedUntil) {
      const known = files.get(locator);
      const body = known?.upload.id === upload.id ? known.body : undefined;
      drop(locator);
      const file: HotFile = { upload, trustedUntil, body, derived: undefined };
      bytes += body?.length ?? 0;
      files.set(locator, file);
      shrink();
      return file;
    },
    keepBody(locator, body) {
      const file = files.get(locator);
      if (file === undefined || file.body !== undefined || body.length > maxBody) return;
      file.body = body;
      bytes += body.length;
      shrink();
    },
    forget(locator) {
      forgotten += 1;
      drop(locator);
    },
    get forgotten() {
      return forgotten;
    },
  };
}
