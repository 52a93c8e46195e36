import type { OwnerLookup } from './owner-lookup.ts';

/** A file in another service's folder, with all that this service knows of it. */
export interface FoundFile {
  /**
   * What its old links have below their base, decoded; where the service keeps only the hash of that, the hash
   * (SHA-256, hex).
   */
  readonly linkPath: string | { readonly sha256: string };
  /** Where it lies. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Null where the service does not know. */
  readonly owner: string | null;
  readonly name: string;
  /** Null where the service does not know. */
  readonly type: string | null;
  /** When it was uploaded, ms since 1970. */
  readonly storedAt: number;
}

/** Something that cannot be taken over, and why, in words. */
export interface ImportProblem {
  readonly file: string;
  readonly problem: string;
}

export interface SourceOptions {
  /** The other service's folder, without symbolic links. */
  readonly folder: string;
  readonly owners: OwnerLookup;
  /** A file with more about the files, where the source takes one. */
  readonly records?: string | undefined;
}

/** Another service's way to keep files. Everything in its folder was named by strangers. */
export interface ImportSource {
  /** Where its links usually begin. */
  readonly basePaths: readonly string[];
  /** The door that takes its place: their files are found in the same way. */
  readonly endpoint: 'external' | 'file_share';
  /** Does `--records` mean something to it? */
  readonly takesRecords?: boolean;
  files(order: SourceOptions): AsyncIterable<FoundFile | ImportProblem>;
}
