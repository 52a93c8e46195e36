import { memoizeLast } from '../base/async.ts';
import type { Upload } from '../base/upload-records.ts';
import type { Lifetimes } from '../ledger/contract/ledger.ts';

/** The option `retention`. Periods in milliseconds, sizes in bytes; null for no limit. */
export interface Retention {
  readonly max_age: number | null;
  /** Bytes per owner to which a sweep reduces the stored files; 0 turns this off. */
  readonly soft_quota: number;
  /** Supported purposes (XEP-0363, section 7) with their limits. */
  readonly purposes: Readonly<Record<string, PurposeRule>>;
  /** Purpose by prefix of the file name, for clients that send no purpose (docs/protocols.md, "Slot requests"). */
  readonly name_prefixes: Readonly<Record<string, string>>;
}

export interface PurposeRule {
  /** Undefined if `retention.max_age` applies. */
  readonly max_age?: number | null | undefined;
  readonly max_file_size?: number | null | undefined;
  readonly max_total_size?: number | null | undefined;
}

/** The purpose of an upload whose request has none (XEP-0363, section 7). */
const DEFAULT_PURPOSE = 'message';

/**
 * Returns the purpose of an upload: the requested one, else the one for the prefix of its name, else `message`. Returns `''` if
 * that purpose is not configured, so that a request for `message` is never refused.
 */
export function choosePurpose(retention: Retention, name: string, requested: string | undefined): string {
  if (requested !== undefined && requested !== DEFAULT_PURPOSE) return requested;
  const prefix = Object.keys(retention.name_prefixes).find((start) => name.startsWith(start));
  const byPrefix = prefix === undefined ? undefined : retention.name_prefixes[prefix];
  const purposes = requested === undefined ? [byPrefix, DEFAULT_PURPOSE] : [DEFAULT_PURPOSE];
  return purposes.find((purpose) => purpose !== undefined && isPurposeOffered(retention, purpose)) ?? '';
}

export function isPurposeOffered(retention: Retention, purpose: string): boolean {
  return Object.hasOwn(retention.purposes, purpose);
}

/** Returns how long a stored upload of this purpose is kept, in milliseconds; null for no limit. */
export function maxAgeFor(retention: Retention, purpose: string): number | null {
  const purposeMaxAge = isPurposeOffered(retention, purpose)
    ? retention.purposes[purpose]?.max_age
    : undefined;
  return purposeMaxAge === undefined ? retention.max_age : purposeMaxAge;
}

/** Returns the latest time until which a stored upload may be kept, by its age; null for no limit. */
export function latestExpiry(retention: Retention, upload: Upload): number | null {
  const maxAge = maxAgeFor(retention, upload.purpose);
  return maxAge === null || upload.storedAt === null ? null : upload.storedAt + maxAge;
}

/** Returns when a stored upload expires: by its age or at the time in its request, whichever is earlier. Null if it never expires. */
export function expiryTime(retention: Retention, upload: Upload): number | null {
  const byAge = latestExpiry(retention, upload);
  if (upload.expiresAt === null) return byAge;
  return byAge === null ? upload.expiresAt : Math.min(byAge, upload.expiresAt);
}

/** Returns whether an upload can be downloaded now. */
export function isDownloadable(retention: Retention, upload: Upload, now: number): boolean {
  if (upload.state !== 'stored') return false;
  const expiresAt = expiryTime(retention, upload);
  return expiresAt === null || now < expiresAt;
}

/**
 * Returns the lifetimes per purpose for the ledger. Files of a purpose whose own `max_age` is null are never evicted to free
 * quota. All other files may be evicted, also if the general `max_age` is null.
 */
export const toLifetimes = memoizeLast((retention: Retention): Lifetimes => {
  const names = ['', ...Object.keys(retention.purposes)];
  return Object.fromEntries(
    names.map((purpose) => {
      const evictable = retention.purposes[purpose]?.max_age !== null;
      return [purpose, { maxAge: maxAgeFor(retention, purpose), evictable }];
    }),
  );
});
