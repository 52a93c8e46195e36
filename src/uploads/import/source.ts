import type { OwnerLookup } from './owner-lookup.ts';

/** A file in the folder of another service, with the metadata of that service. */
export interface FoundFile {
  /** The part of its links after the base path, decoded. Or the hex SHA-256 of it, if the service stores only that. */
  readonly linkPath: string | { readonly sha256: string };
  /** Path on disk. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Null if the service does not record it. */
  readonly owner: string | null;
  readonly name: string;
  /** Null if the service does not record it. */
  readonly type: string | null;
  /** When it was uploaded, ms since 1970. */
  readonly storedAt: number;
}

/** A file that cannot be imported, and the reason in words. */
export interface ImportProblem {
  readonly file: string;
  readonly problem: string;
}

export interface SourceOptions {
  /** The other service's folder, without symbolic links. */
  readonly folder: string;
  readonly owners: OwnerLookup;
  /** A file with more metadata (`--records`), if the source supports it. */
  readonly records?: string | undefined;
}

/**
 * The storage layout of another service; see docs/protocols.md, "Import layouts". All names in its folder were chosen by
 * users and must not be trusted.
 */
export interface ImportSource {
  /** The paths at which its links usually begin. */
  readonly basePaths: readonly string[];
  /** The endpoint that replaces the service and finds its files by the same paths. */
  readonly endpoint: 'external' | 'file_share';
  /** The expected layout of the folder, in words for an admin who gave the wrong folder. */
  readonly layout: string;
  /** True if the source supports `--records`. */
  readonly takesRecords?: boolean;
  files(order: SourceOptions): AsyncIterable<FoundFile | ImportProblem>;
}
