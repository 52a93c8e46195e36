import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FormatName, formats, guessFormat } from '../../../../src/messages/hooks/formats.ts';
import type { FieldPaths, FormatOptions, Notice } from '../../../../src/messages/hooks/notice.ts';

export const NO_FIELDS: FieldPaths = { title: null, text: null, link: null, image: null, username: null };

/** A payload as its program sends it, shaped after the example in its documents. */
export function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'samples', `${name}.json`), 'utf8'));
}

/** What is told of a payload; word joiners can be seen as `·`. */
export function tell(
  format: FormatName,
  payload: unknown,
  { event, ...options }: Partial<FormatOptions> & { event?: string } = {},
): Notice | undefined {
  const notice = formats[format]({ payload, event }, { resolved: 'show', fields: NO_FIELDS, ...options });
  return notice && { ...notice, text: notice.text.replaceAll('\u2060', '·') };
}

export function guess(payload: unknown, event?: string): FormatName {
  return guessFormat({ payload, event });
}
