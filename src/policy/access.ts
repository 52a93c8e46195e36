import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import { looseJidKey, parseBareJid } from '../base/jid.ts';
import { foldLoosely } from '../base/precis.ts';
import type { Limits } from '../ledger/contract/ledger.ts';
import type { Retention } from './retention.ts';

/** One rule of the option `access`. Sizes in bytes, periods in milliseconds, null for no limit. */
export interface AccessRule {
  readonly jid: readonly string[];
  readonly deny: boolean;
  readonly max_file_size: number | null;
  readonly max_total_size: number | null;
  readonly max_files: number | null;
  readonly bytes_per: { readonly period: number; readonly bytes: number } | null;
  readonly uploads_per: { readonly period: number; readonly uploads: number } | null;
  /** Media types and ranges (`image/*`); null for all. */
  readonly allowed_types: readonly string[] | null;
  readonly when_full: 'reject' | 'evict';
}

/** Allows all users without limits. */
export const allowAllRule: AccessRule = {
  jid: ['.*'],
  deny: false,
  max_file_size: null,
  max_total_size: null,
  max_files: null,
  bytes_per: null,
  uploads_per: null,
  allowed_types: null,
  when_full: 'reject',
};

export type AccessDecision =
  | {
      readonly allowed: true;
      /** Index in `access`, from 0. */
      readonly index: number;
      readonly rule: AccessRule;
    }
  /** `index` is null if no rule matched. */
  | { readonly allowed: false; readonly index: number | null };

/** Decides who may upload, by the first rule whose pattern matches. Without a match, access is denied. */
export interface AccessPolicy {
  decide(owner: string): AccessDecision;
  /** Returns the patterns of a rule by its index. */
  patternsOf(index: number): readonly string[];
}

/** A pattern that matches one JID, such as `^romeo@example\.org$`, with or without escaped dots. */
const SINGLE_JID = /^\^((?:[\w@.-]|\\[@.-])+)\$$/;

/** Returns the JIDs for which a rule has a pattern of exactly this JID. */
export function jidsInRules(rules: readonly Pick<AccessRule, 'jid'>[]): string[] {
  return rules.flatMap(({ jid }) =>
    jid.flatMap((pattern) => parseBareJid(SINGLE_JID.exec(pattern)?.[1]?.replaceAll('\\', '') ?? '') ?? []),
  );
}

/**
 * Compiles the pattern of a deny rule for `looseJidKey`, because the admin and the XMPP server may spell an account differently, such
 * as `straße` and `strasse`. Only non-ASCII characters are folded, because ASCII characters may be syntax.
 */
function compileLoosely(pattern: string): RE2JS[] {
  const folded = pattern.replace(/\P{ASCII}+/gu, foldLoosely);
  try {
    return [RE2JS.compile(folded, RE2JS.CASE_INSENSITIVE)];
  } catch {
    // A range such as [à-ö] may have no folded form. The pattern itself still applies.
    return [];
  }
}

/** Enough for the active users of a large provider. */
const MAX_CACHED_DECISIONS = 20_000;

/**
 * Compiles the rules. RE2 patterns match in linear time, so that no JID can block the server. Decisions are cached, because matching
 * costs more than all other checks of a slot request.
 */
export function compileAccessRules(rules: readonly AccessRule[]): AccessPolicy {
  const compiled = rules.map((rule) => ({
    rule,
    patterns: rule.jid.map((pattern) => RE2JS.compile(pattern)),
    loosePatterns: rule.deny ? rule.jid.flatMap(compileLoosely) : [],
  }));
  const decisions = new LRUCache<string, AccessDecision>({ max: MAX_CACHED_DECISIONS });

  function match(owner: string): AccessDecision {
    const looseKey = looseJidKey(owner);
    const matches = (patterns: readonly RE2JS[], text: string) =>
      patterns.some((p) => p.matcher(text).find());
    const index = compiled.findIndex(
      ({ patterns, loosePatterns }) => matches(patterns, owner) || matches(loosePatterns, looseKey),
    );
    const rule = compiled[index]?.rule;
    if (!rule) return { allowed: false, index: null };
    return rule.deny ? { allowed: false, index } : { allowed: true, index, rule };
  }

  return {
    decide(owner) {
      const cached = decisions.get(owner);
      if (cached) return cached;
      const decision = match(owner);
      decisions.set(owner, decision);
      return decision;
    },
    patternsOf: (index) => rules[index]?.jid ?? [],
  };
}

/** All limits of one upload: of the owner's rule, of its purpose and of the whole service. */
export interface UploadLimits {
  /** Bytes; null for no limit. */
  readonly maxFileSize: number | null;
  readonly quotas: Limits;
}

/**
 * Combines the limits of one upload. Returns the same object for the same rule and purpose until the config changes, so that a message
 * to the ledger thread contains it only once for all its reservations.
 */
export function uploadLimitsFor(
  rule: AccessRule,
  retention: Retention,
  purpose: string,
  globalBytes: number | null,
): UploadLimits {
  const last = lastLimits.get(rule);
  if (last?.retention === retention && last.purpose === purpose && last.globalBytes === globalBytes) {
    return last.limits;
  }
  const limits = combineLimits(rule, retention, purpose, globalBytes);
  lastLimits.set(rule, { retention, purpose, globalBytes, limits });
  return limits;
}

interface LastLimits {
  readonly retention: Retention;
  readonly purpose: string;
  readonly globalBytes: number | null;
  readonly limits: UploadLimits;
}

const lastLimits = new WeakMap<AccessRule, LastLimits>();

function combineLimits(
  rule: AccessRule,
  retention: Retention,
  purpose: string,
  globalBytes: number | null,
): UploadLimits {
  const purposeRule = retention.purposes[purpose];
  const purposeBytes = purposeRule?.max_total_size ?? null;
  return {
    maxFileSize: smallest(rule.max_file_size, purposeRule?.max_file_size ?? null),
    quotas: {
      ownerBytes: rule.max_total_size,
      ownerFiles: rule.max_files,
      purposeBytes,
      bytesPer: rule.bytes_per,
      uploadsPer: rule.uploads_per,
      globalBytes,
    },
  };
}

/** Returns the size of the largest file that these limits can permit, as announced to clients; null for no limit. */
export function announcedMaxFileSize({ maxFileSize, quotas }: UploadLimits): number | null {
  return smallest(
    maxFileSize,
    quotas.ownerBytes,
    quotas.purposeBytes,
    quotas.bytesPer?.bytes ?? null,
    quotas.globalBytes,
  );
}

function smallest(...limits: readonly (number | null)[]): number | null {
  const given = limits.filter((limit) => limit !== null);
  return given.length === 0 ? null : Math.min(...given);
}
