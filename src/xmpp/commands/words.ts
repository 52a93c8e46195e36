import { withTimeout } from '../../base/async.ts';
import { formatCount } from '../../base/units.ts';
import type { FormAnswers } from '../../stanza/data-form.ts';
import { describeEarlierRemoval, type FoundTargets } from '../../uploads/remove-by-link.ts';
import { type AdHocContext, type AdHocNote, type AdHocResult, completed } from './ad-hoc-command.ts';

const MAX_LISTED = 10;

/** Lists names in a sentence: `a.jpg, b.jpg and 3 more`. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return names.length <= MAX_LISTED ? shown : `${shown} and ${names.length - MAX_LISTED} more`;
}

/** Links that one answer may have. */
const MAX_LINKS = 100;

/** Returns the lines of an answer that have a text. Some clients send a line per value, others one value with line breaks. */
export function answerLines(answers: FormAnswers, name: string): string[] {
  const lines = (answers.get(name) ?? []).flatMap((value) => value.split('\n'));
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

/** Returns the problem of an answer with too many links; undefined if it has few enough. */
export function describeTooManyLinks(links: readonly string[]): string | undefined {
  if (links.length <= MAX_LINKS) return undefined;
  return `Nothing was deleted: enter at most ${MAX_LINKS} links at once.`;
}

/** Returns whether the box of a form is ticked. */
export function isConfirmed(answers: FormAnswers, name: string): boolean {
  return ['1', 'true'].includes(answers.get(name)?.[0]?.trim() ?? '');
}

/** Returns notes that name the deleted files and the targets that were not found. */
export function describeRemoved({ uploads, removedBefore, unknown }: FoundTargets, now: number): AdHocNote[] {
  const names = uploads.map(({ name }) => name);
  const warnings = [
    ...removedBefore.map((record) => describeEarlierRemoval(record, now)),
    ...(unknown.length > 0 ? [`Not found: ${listNames(unknown)}.`] : []),
  ];
  return [
    ...(names.length > 0 || warnings.length === 0
      ? [
          {
            type: 'info',
            text: `Deleted ${formatCount(names.length, 'file')}: ${listNames(names)}.`,
          } as const,
        ]
      : []),
    ...(warnings.length > 0 ? [{ type: 'warn', text: warnings.join(' ') } as const] : []),
  ];
}

/** Shorter than the timeout of clients, which is 30 s or more. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Returns the result of `work`. If it takes longer than ten seconds, returns the text `late`, and the work continues. */
export async function answerInTime(
  { services }: AdHocContext,
  work: Promise<AdHocResult>,
  late: string,
): Promise<AdHocResult> {
  const isLate = new Error('late');
  try {
    return await withTimeout(work, ANSWER_TIMEOUT_MS, () => isLate);
  } catch (error) {
    if (error !== isLate) throw error;
    work.catch((err: unknown) => services.log.error({ err }, 'a command failed after it was answered'));
    return completed(late);
  }
}
