import { Refusal } from '../../base/errors.ts';

/** Texts are cut at these lengths, in UTF-16 units: a payload is somebody else's. */
const MAX_TEXT = 8000;
const MAX_LINE = 500;
const MAX_ENTRIES = 50;

export type PayloadPath = readonly (string | number)[];

/** The value at a path; undefined where anything on the way is not there. */
export function valueAt(value: unknown, ...path: PayloadPath): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}

/** As text of several lines; empty where there is neither text nor number. */
export function textAt(value: unknown, ...path: PayloadPath): string {
  const found = valueAt(value, ...path);
  if (typeof found !== 'string') return typeof found === 'number' ? String(found) : '';
  return truncate(found.replace(/\r\n?/g, '\n').trim(), MAX_TEXT);
}

/** As one line. */
export function lineAt(value: unknown, ...path: PayloadPath): string {
  return toOneLine(textAt(value, ...path));
}

export function toOneLine(text: string): string {
  return truncate(text.replace(/\s+/g, ' ').trim(), MAX_LINE);
}

/** The first of some texts that is not empty. */
export function firstNonEmpty(...texts: readonly string[]): string {
  return texts.find((text) => text !== '') ?? '';
}

export function listAt(value: unknown, ...path: PayloadPath): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The names and values of a section that are texts or numbers. */
export function entriesAt(value: unknown, ...path: PayloadPath): [string, string][] {
  const found = valueAt(value, ...path);
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return [];
  return Object.keys(found)
    .slice(0, MAX_ENTRIES)
    .map((key): [string, string] => [toOneLine(key), textAt(found, key)])
    .filter(([, text]) => text !== '');
}

/** A link that can be shown and followed; empty where it is none. */
export function linkAt(value: unknown, ...path: PayloadPath): string {
  const text = textAt(value, ...path);
  return /^https?:\/\/[^\s<>"]+$/i.test(text) && URL.canParse(text) ? text : '';
}

/** `2026-11-20 16:30:05 UTC`; empty where it is no time, or Go's zero time. */
export function timeAt(value: unknown, ...path: PayloadPath): string {
  const moment = new Date(textAt(value, ...path));
  if (Number.isNaN(moment.getTime()) || moment.getTime() <= 0) return '';
  return `${moment.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Cut so that it has at most `max` UTF-16 units, and no half of a character at its end. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** The payload, if it is a JSON object. */
export function requirePayloadObject(payload: unknown, program: string): object {
  if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload;
  throw new Refusal('bad_request', { text: `That is not what ${program} sends: expected a JSON object.` });
}
