import type { Upload } from '../base/records.ts';

/** A stored upload that was asked for lately. */
export interface HotFile {
  readonly upload: Upload;
  /** `performance.now()` up to which the ledger's word is taken without asking again. */
  readonly trustedUntil: number;
  /** Its bytes, where they are few. */
  readonly body: Buffer | undefined;
  /** What a door has worked out from the upload and wants to find again; lasts as long as the upload is the same. */
  derived: unknown;
}

/** Files that are asked for again and again, bounded in number and bytes; the least recently asked goes first. */
export interface HotFiles {
  /** Where the ledger's word on it is still fresh. */
  get(locator: string): HotFile | undefined;
  /** The ledger is about to be asked. Every look-up is ended. */
  begin(locator: string): LookUp;
  /** What the ledger said. Kept, unless the file was forgotten since the look-up began. */
  end(lookUp: LookUp, upload: Upload | undefined): HotFile | undefined;
  /** Keeps the bytes of a file that is hot, where they are few enough. */
  keepBody(upload: Upload, body: Buffer): void;
  /** Call it for every removal in this process: from now on its GETs ask the ledger. */
  forget(locator: string): void;
}

export interface LookUp {
  readonly locator: string;
  readonly since: number;
  forgotten: boolean;
}

export interface HotOptions {
  readonly maxFiles?: number;
  /** Bytes of all bodies together. */
  readonly maxBytes?: number;
  /** Milliseconds for which the ledger's word is taken: within them another process's removal takes effect. */
  readonly trust?: number;
}

/** Bodies up to this many bytes are kept. */
export const SMALL_BODY = 64 * 1024;

export function createHotFiles(options: HotOptions = {}): HotFiles {
  const { maxFiles = 10_000, maxBytes = 32 * 1024 * 1024, trust = 1000 } = options;
  const files = new Map<string, HotFile>();
  const lookUps = new Map<string, Set<LookUp>>();
  let bytes = 0;

  function drop(locator: string): void {
    bytes -= files.get(locator)?.body?.length ?? 0;
    files.delete(locator);
  }

  function keep(file: HotFile): HotFile {
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
      if (file === undefined || performance.now() >= file.trustedUntil) return undefined;
      files.delete(locator);
      files.set(locator, file);
      return file;
    },
    begin(locator) {
      const lookUp = { locator, since: performance.now(), forgotten: false };
      const others = lookUps.get(locator);
      if (others) others.add(lookUp);
      else lookUps.set(locator, new Set([lookUp]));
      return lookUp;
    },
    end(lookUp, upload) {
      const { locator, since, forgotten } = lookUp;
      const others = lookUps.get(locator);
      others?.delete(lookUp);
      if (others?.size === 0) lookUps.delete(locator);
      if (upload?.state !== 'stored') {
        drop(locator);
        return undefined;
      }
      const known = files.get(locator);
      const body = known?.upload.id === upload.id ? known.body : undefined;
      const derived = known && isSame(known.upload, upload) ? known.derived : undefined;
      const file: HotFile = { upload, trustedUntil: since + trust, body, derived };
      return forgotten ? file : keep(file);
    },
    keepBody({ id, locator }, body) {
      const file = files.get(locator);
      if (file?.upload.id === id && !file.body && body.length <= SMALL_BODY) keep({ ...file, body });
    },
    forget(locator) {
      drop(locator);
      for (const lookUp of lookUps.get(locator) ?? []) lookUp.forgotten = true;
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
