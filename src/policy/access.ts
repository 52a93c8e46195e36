import { RE2JS } from 're2js';
import { parseBareJid } from '../base/jid.ts';

/** One rule of `access`, as the config has it. Sizes in bytes, periods in milliseconds, null = no limit. */
export interface AccessRule {
  readonly jid: readonly string[];
  readonly deny: boolean;
  readonly max_file_size: number | null;
  readonly max_total_size: number | null;
  readonly bytes_per: { readonly period: number; readonly bytes: number } | null;
  readonly uploads_per: { readonly period: number; readonly uploads: number } | null;
  /** Media types and ranges (`image/*`); null = all. */
  readonly allowed_types: readonly string[] | null;
  readonly when_full: 'reject' | 'evict';
}

/** Lets everybody in and limits nothing. */
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
      readonly allowed: true /** Its place in `access`, from 0. */;
      readonly index: number;
      readonly rule: AccessRule;
    }
  /** `index` is null where no rule matched at all. */
  | { readonly allowed: false; readonly index: number | null };

/** First rule whose pattern matches decides; where none does, the answer is no. */
export interface AccessPolicy {
  decide(owner: string): AccessDecision;
}

/** `^romeo@example\.org$`, with its dots escaped or not. */
const ONE_JID = /^\^((?:[\w@.-]|\\[@.-])+)\$$/;

/** The JIDs that rules name one by one. */
export function jidsInRules(rules: readonly Pick<AccessRule, 'jid'>[]): string[] {
  return rules.flatMap(({ jid }) =>
    jid.flatMap((pattern) => parseBareJid(ONE_JID.exec(pattern)?.[1]?.replaceAll('\\', '') ?? '') ?? []),
  );
}

/** Each provider's active users fit; beyond it the least recently seen are matched afresh. */
const REMEMBERED = 20_000;

/**
 * Compiles the rules once. Patterns are RE2: linear time whatever the JID, so nobody can stall the server.
 * Decisions are remembered, because matching costs more than all the rest of a slot's policy.
 */
export function compileAccessRules(rules: readonly AccessRule[]): AccessPolicy {
  const compiled = rules.map((rule) => ({
    rule,
    patterns: rule.jid.map((pattern) => RE2JS.compile(pattern)),
  }));
  const remembered = new Map<string, AccessDecision>();

  function match(owner: string): AccessDecision {
    const index = compiled.findIndex(({ patterns }) => patterns.some((p) => p.matcher(owner).find()));
    const rule = compiled[index]?.rule;
    if (!rule) return { allowed: false, index: null };
    return rule.deny ? { allowed: false, index } : { allowed: true, index, rule };
  }

  return {
    decide(owner) {
      const known = remembered.get(owner);
      if (known) {
        remembered.delete(owner);
        remembered.set(owner, known);
        return known;
      }
      const decision = match(owner);
      if (remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
      remembered.set(owner, decision);
      return decision;
    },
  };
}
