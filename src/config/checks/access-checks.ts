import { RE2JS } from 're2js';
import { formatSize } from '../../base/units.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import type { Complain } from './complain.ts';

type Rule = ConfigOptions['access'][number];

/** Checks that rules with `deny` have no limits. */
export function checkAccess({ access }: ConfigOptions, complain: Complain): void {
  access.forEach((rule, index) => {
    const limited =
      rule.max_file_size ?? rule.max_total_size ?? rule.max_files ?? rule.bytes_per ?? rule.uploads_per;
    if (rule.deny && limited !== null)
      complain(`access[${index}].deny`, 'a rule with deny cannot have limits; remove them');
  });
}

/** Returns warnings about rules without effect, and about patterns that match more or less than they seem to. */
export function accessWarnings({ access }: ConfigOptions): string[] {
  if (access.length === 0) return ['No access rules: all uploads are denied. Add an `access` list.'];
  const warnings: string[] = [];
  const all = access.findIndex((rule) => rule.jid.some(matchesEverybody));
  if (all >= 0 && all < access.length - 1) {
    warnings.push(`access[${all}] matches all JIDs: the rules after it have no effect.`);
  }
  access.forEach((rule, index) => {
    for (const text of rule.jid.filter(hasUpperCase)) {
      warnings.push(`access[${index}]: ${text} has upper-case letters, but JIDs are compared in lower case.`);
    }
    warnings.push(
      ...unanchoredWarnings(`access[${index}]`, rule.jid),
      ...limitWarnings(`access[${index}]`, rule),
    );
  });
  return warnings;
}

// A pattern that matches the empty text matches every text, unless it is anchored at the end.
function matchesEverybody(text: string): boolean {
  return !text.endsWith('$') ? RE2JS.compile(text).matcher('').find() : /^\^?\.\*\$$/.test(text);
}

/** Returns true if a pattern has upper-case letters that must match, so that it never matches a JID in lower case. */
function hasUpperCase(text: string): boolean {
  return (
    /[A-Z]/.test(text.replace(/\\(?:p\{[^}]*\}|p.|.)/gi, '').replace(/\[:\^?\w+:\]/g, '')) &&
    !text.includes('(?i')
  );
}

/**
 * Returns warnings about patterns that name a domain without an anchor at the end. Such a pattern also matches accounts of longer
 * domains, which anybody can register.
 */
export function unanchoredWarnings(key: string, patterns: readonly string[]): string[] {
  return patterns.filter(isUnanchoredDomain).map((text) => {
    const longer = `${text.replace(/^.*@/, '').replace(/^\^/, '').replaceAll('\\', '')}.evil.example`;
    return (
      `${key}: the pattern ${text} does not end with $, so it also matches accounts at ${longer}. ` +
      `Write '${anchored(text)}'.`
    );
  });
}

function isUnanchoredDomain(text: string): boolean {
  return /[\w-]\\?\.[a-z][a-z0-9-]*$/i.test(text) && !matchesEverybody(text);
}

/** Returns the pattern with anchors: `example.org` becomes `@example\.org$`. */
function anchored(text: string): string {
  const escaped = text.replace(/(?<!\\)\.(?![*+?{])/g, '\\.');
  return `${/^[\^@]|@/.test(escaped) ? '' : '@'}${escaped}$`;
}

function limitWarnings(key: string, { max_file_size, max_total_size, bytes_per }: Rule): string[] {
  const smallest = [
    ['max_total_size', max_total_size],
    ['bytes_per', bytes_per?.bytes],
  ] as const;
  if (max_file_size === null) return [];
  return smallest.flatMap(([name, bytes]) =>
    bytes != null && bytes < max_file_size
      ? [
          `${key}: max_file_size (${formatSize(max_file_size)}) is above ${name} (${formatSize(bytes)}), ` +
            `so no file above ${formatSize(bytes)} is accepted. Lower one or raise the other.`,
        ]
      : [],
  );
}
