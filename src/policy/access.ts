import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import { parseBareJid } from '../base/jid.ts';

/** One rule of the option `access`. Sizes in bytes, periods in milliseconds, null for no limit. */
export interface AccessRule {
  readonly jid: readonly string[];
  readonly deny: boolean;
  readonly max_file_size: number | null;
  readonly max_total_size: number | null;
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

/** The first rule whose pattern matches decides. Without a match, access is denied. */
export interface AccessPolicy {
  decide(owner: string): AccessDecision;
}

/** A pattern that matches one JID, such as `^romeo@example\.org$`, with or without escaped dots. */
const SINGLE_JID = /^\^((?:[\w@.-]|\\[@.-])+)\$$/;

/** Returns the JIDs that rules name individually. */
export function jidsInRules(rules: readonly Pick<AccessRule, 'jid'>[]): string[] {
  return rules.flatMap(({ jid }) =>
    jid.flatMap((pattern) => parseBareJid(SINGLE_JID.exec(pattern)?.[1]?.replaceAll('\\', '') ?? '') ?? []),
  );
}

/** Enough for the active users of a large provider. */
const MAX_CACHED_DECISIONS = 20_000;

/**
 * Compiles the rules. Patterns are RE2, which match in linear time, so that no JID can stall the server. Decisions are cached,
 * because matching costs more than all other checks of a slot request.
 */
export function compileAccessRules(rules: readonly AccessRule[]): AccessPolicy {
  const compiled = rules.map((rule) => ({
    rule,
    patterns: rule.jid.map((pattern) => RE2JS.compile(pattern)),
  }));
  const decisions = new LRUCache<string, AccessDecision>({ max: MAX_CACHED_DECISIONS });

  function match(owner: string): AccessDecision {
    const index = compiled.findIndex(({ patterns }) => patterns.some((p) => p.matcher(owner).find()));
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
  };
}
