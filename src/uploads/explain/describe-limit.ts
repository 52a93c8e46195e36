import { formatMoment } from '../../base/clock.ts';
import { formatCount, formatSize, formatSpan } from '../../base/units.ts';
import type { AccessRule } from '../../policy/access.ts';
import { isExhausted, type OwnerLimit } from './explain-owner.ts';

/** Describes the parts of an access rule that concern a single file, a line each. */
export function describeRule(rule: AccessRule): string[] {
  return [
    rule.max_file_size !== null && `at most ${formatSize(rule.max_file_size)} per file`,
    rule.allowed_types && `only ${rule.allowed_types.join(', ')}`,
    rule.when_full === 'evict' && 'the oldest files are removed to make space',
  ].filter((line) => typeof line === 'string');
}

/** Describes a limit and its use, for example `2 of 2 uploads in the last hour, next at 14:05 UTC, in 23 minutes`. */
export function describeLimit(limit: OwnerLimit, now: number): string {
  const { period, purpose, freesAt } = limit;
  const what: Record<OwnerLimit['limit'], string> = {
    ownerBytes: 'in total',
    ownerFiles: 'in total',
    purposeBytes: `for the purpose ${purpose}`,
    bytesPer: `in the last ${formatSpan(period ?? 0)}`,
    uploadsPer: `in the last ${formatSpan(period ?? 0)}`,
    globalBytes: 'of all users together',
  };
  return `${describeAmount(limit)} ${what[limit.limit]}${describeRelief(limit, freesAt, now)}`;
}

function describeAmount({ limit, used, allowed }: OwnerLimit): string {
  if (limit === 'uploadsPer') return `${used} of ${formatCount(allowed, 'upload')}`;
  if (limit === 'ownerFiles') return `${used} of ${formatCount(allowed, 'file')}`;
  return `${formatSize(used)} of ${formatSize(allowed)}`;
}

function describeRelief(limit: OwnerLimit, freesAt: number | null, now: number): string {
  if (limit.used === 0) return '';
  if (freesAt === null) return isExhausted(limit, now) ? ', until files are deleted' : '';
  if (freesAt <= now) return ', part of it has expired and makes room for the next upload';
  return `, ${isExhausted(limit, now) ? 'next' : 'less'} ${formatMoment(freesAt, now)}`;
}
