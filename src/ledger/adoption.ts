import type { Upload } from '../base/records.ts';

export interface AdoptOrder {
  readonly uploads: readonly Adoption[];
}

/** A file as another service had it. */
export interface Adoption
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
