import type { Upload } from '../base/upload-records.ts';
import type { Lifetimes } from '../ledger/contract/ledger.ts';

/** `retention` of the config. Periods in milliseconds, null = for ever; sizes in bytes, null = no limit. */
export interface Retention {
  readonly max_age: number | null;
  /** Bytes that a sweep leaves an owner; 0 = off. */
  readonly soft_quota: number;
  /** Purposes that are offered (XEP-0363 §7), with limits of their own. */
  readonly purposes: Readonly<Record<string, PurposeRule>>;
  /** Purpose by the start of the file's name, for clients that cannot say it otherwise (Movim). */
  readonly name_prefixes: Readonly<Record<string, string>>;
}

export interface PurposeRule {
  /** Undefined = as `retention.max_age`. */
  readonly max_age?: number | null | undefined;
  readonly max_file_size?: number | null | undefined;
  readonly max_total_size?: number | null | undefined;
}

/** What XEP-0363 §7 takes an upload for that names no purpose. */
const DEFAULT_PURPOSE = 'message';

/**
 * The purpose an upload is kept under: the one asked for, else the one its name tells, else `message`, and
 * none (`''`) where that has no rules of its own. Whoever asks for `message` is never refused for it.
 */
export function choosePurpose(retention: Retention, name: string, asked: string | undefined): string {
  if (asked !== undefined && asked !== DEFAULT_PURPOSE) return asked;
  const prefix = Object.keys(retention.name_prefixes).find((start) => name.startsWith(start));
  const told = prefix === undefined ? undefined : retention.name_prefixes[prefix];
  const purposes = asked === undefined ? [told, DEFAULT_PURPOSE] : [DEFAULT_PURPOSE];
  return purposes.find((purpose) => purpose !== undefined && isPurposeOffered(retention, purpose)) ?? '';
}

export function isPurposeOffered(retention: Retention, purpose: string): boolean {
  return Object.hasOwn(retention.purposes, purpose);
}

/** How long a stored upload of this purpose is kept, in milliseconds; null = for ever. */
export function maxAgeFor(retention: Retention, purpose: string): number | null {
  const own = isPurposeOffered(retention, purpose) ? retention.purposes[purpose]?.max_age : undefined;
  return own === undefined ? retention.max_age : own;
}

/** When a stored upload ends: at the moment its request named or by its age, whichever is sooner. */
export function expiryTime(retention: Retention, upload: Upload): number | null {
  const maxAge = maxAgeFor(retention, upload.purpose);
  const byAge = maxAge === null || upload.storedAt === null ? null : upload.storedAt + maxAge;
  if (upload.expiresAt === null) return byAge;
  return byAge === null ? upload.expiresAt : Math.min(byAge, upload.expiresAt);
}

/** Can it be fetched now? */
export function isDownloadable(retention: Retention, upload: Upload, now: number): boolean {
  if (upload.state !== 'stored') return false;
  const end = expiryTime(retention, upload);
  return end === null || now < end;
}

/**
 * For the ledger: how long each purpose lives. What its purpose itself keeps for ever is never taken to make
 * room; all else may be, also where the general age is for ever.
 */
export function toLifetimes(retention: Retention): Lifetimes {
  const names = ['', ...Object.keys(retention.purposes)];
  return Object.fromEntries(
    names.map((purpose) => {
      const evictable = retention.purposes[purpose]?.max_age !== null;
      return [purpose, { maxAge: maxAgeFor(retention, purpose), evictable }];
    }),
  );
}
