/**
 * The random id that a ledger shares with its blob store. It shows that the mounted volume or the bucket in the config is the
 * one that the ledger describes.
 */
export interface StoreIdentity {
  readonly id: string;
  /** True after the marker with this id was written to the blob store. */
  readonly isMarked: boolean;
}

/** The identity of the ledger. Changed in every migration state, because `porter move` hands it over. */
export interface IdentityStore {
  /** Returns null if the ledger has no identity yet. */
  storeIdentity(): Promise<StoreIdentity | null>;
  /**
   * Sets the identity if the current id is `replaces`; null = the ledger has none. Resolves with the identity afterwards, which
   * another process may have set.
   */
  setStoreIdentity(params: StoreIdentity & { readonly replaces: string | null }): Promise<StoreIdentity>;
}
