import type { Upload } from '../../base/upload-records.ts';

export interface ImportUploadsParams {
  readonly uploads: readonly ImportedUpload[];
}

/** A file as another service had it. */
export interface ImportedUpload
  extends Pick<
    Upload,
    'id' | 'locator' | 'owner' | 'purpose' | 'name' | 'type' | 'size' | 'blob' | 'expiresAt'
  > {
  readonly storedAt: number;
}

/** Links below `path` (a slash at either end) are found by `namespace`, a colon and the hash of what follows. */
export interface OldPath {
  readonly path: string;
  readonly namespace: string;
}
