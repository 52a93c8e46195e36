/** Usage counters of owners. */
export interface QuotaStore {
  usage(owner: string): Promise<Usage>;
  stats(): Promise<LedgerStats>;
  /** Returns the use of every limit that is set, without changing anything. */
  limitUsage(query: LimitUsageQuery): Promise<LimitUsage[]>;
  /** Lists owners by name. `after` is the last name of the previous page. */
  listOwners(query: OwnerQuery): Promise<OwnerUsage[]>;
  /** Counts the uploads of an owner, and corrects its counters if `repair` is set. Returns true if they were wrong. */
  recount(params: { readonly owner: string; readonly repair: boolean }): Promise<boolean>;
  /**
   * Adds up the counters of all owners and counts the removal records. Corrects the totals of the service if `repair` is set.
   * Returns true if they were wrong.
   */
  recountTotals(params: { readonly repair: boolean }): Promise<boolean>;
}

/** The quotas of an owner. null = no limit. Periods are milliseconds. */
export interface Limits {
  /** All bytes of the owner, including slots that wait for their PUT. */
  readonly ownerBytes: number | null;
  /** All files of the owner, including slots that wait for their PUT. */
  readonly ownerFiles: number | null;
  /** The owner's bytes under the purpose of this upload. */
  readonly purposeBytes: number | null;
  readonly bytesPer: { readonly period: number; readonly bytes: number } | null;
  readonly uploadsPer: { readonly period: number; readonly uploads: number } | null;
  /** Bytes of all owners together. */
  readonly globalBytes: number | null;
}

export type LimitName = keyof Limits;

/** The limits that count uploads. All others count bytes. */
export const countsUploads = (limit: LimitName): limit is 'ownerFiles' | 'uploadsPer' =>
  limit === 'ownerFiles' || limit === 'uploadsPer';

export const unlimited: Limits = {
  ownerBytes: null,
  ownerFiles: null,
  purposeBytes: null,
  bytesPer: null,
  uploadsPer: null,
  globalBytes: null,
};

/** Retention by purpose (`''` = no purpose given). Used to forecast when space becomes free. */
export type Lifetimes = Readonly<Record<string, Lifetime>>;

export interface Lifetime {
  /** Milliseconds from `storedAt`; null = unlimited. */
  readonly maxAge: number | null;
  /** Whether the soft quota and `when_full: evict` may remove the upload earlier. */
  readonly evictable: boolean;
}

export interface Usage {
  /** Stored uploads. */
  readonly uploads: number;
  readonly bytes: number;
  /** Slots that wait for their PUT or are receiving it. */
  readonly pendingUploads: number;
  readonly pendingBytes: number;
}

export interface LimitUsageQuery {
  readonly owner: string;
  /** The purpose that `purposeBytes` is for. */
  readonly purpose: string;
  readonly limits: Limits;
  readonly lifetimes: Lifetimes;
  readonly evict: boolean;
  readonly now: number;
}

/** How far a limit is used up. Bytes, or a number of uploads for `uploadsPer` and `ownerFiles`. */
export interface LimitUsage {
  readonly limit: LimitName;
  readonly used: number;
  readonly allowed: number;
  /**
   * The part of `used` that is removed if a new upload needs the room (`when_full: evict`). For `ownerFiles`, at most the number
   * of files that one more upload needs.
   */
  readonly evictable: number;
  /** When there is more room than now if nothing else is uploaded; null if waiting does not help. */
  readonly freesAt: number | null;
}

export interface OwnerUsage extends Usage {
  readonly owner: string;
  readonly lastUploadAt: number | null;
}

export interface LedgerStats extends Usage {
  readonly owners: number;
  readonly removals: number;
}

export interface OwnerQuery {
  readonly after?: string;
  readonly limit: number;
}
