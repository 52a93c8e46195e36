import { Refusal } from '../../base/errors.ts';

/** Maximum lengths in UTF-16 units. Payloads are untrusted. */
const MAX_TEXT = 8000;
const MAX_LINE = 500;
const MAX_ENTRIES = 50;

export type PayloadPath = readonly (string | number)[];

/** Returns the value at a path, or undefined if a part of the path does not exist. */
export function valueAt(value: unknown, ...path: PayloadPath): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string | number, unknown>)[key];
  }
  return current;
}

/** Returns a text with line breaks; empty if the value is neither text nor number. */
export function textAt(value: unknown, ...path: PayloadPath): string {
  const found = valueAt(value, ...path);
  if (typeof found !== 'string') return typeof found === 'number' ? String(found) : '';
  // JSON may have lone surrogates, which no URL and no XML can contain.
  return truncate(found.toWellFormed().replace(/\r\n?/g, '\n').trim(), MAX_TEXT);
}

/** Like `textAt`, in one line. */
export function lineAt(value: unknown, ...path: PayloadPath): string {
  return toOneLine(textAt(value, ...path));
}

/** Replaces each run of white space with one space, and cuts a long text. */
export function toOneLine(text: string): string {
  return truncate(text.replace(/\s+/g, ' ').trim(), MAX_LINE);
}

/** Returns the first text that is not empty, or ''. */
export function firstNonEmpty(...texts: readonly string[]): string {
  return texts.find((text) => text !== '') ?? '';
}

/** Returns the array at a path; empty if the value is not an array. */
export function listAt(value: unknown, ...path: PayloadPath): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** Returns the entries of an object whose values are texts or numbers. */
export function entriesAt(value: unknown, ...path: PayloadPath): [string, string][] {
  const found = valueAt(value, ...path);
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return [];
  return Object.keys(found)
    .slice(0, MAX_ENTRIES)
    .map((key): [string, string] => [toOneLine(key.toWellFormed()), textAt(found, key)])
    .filter(([, text]) => text !== '');
}

/** Returns a valid http(s) URL, or ''. */
export function linkAt(value: unknown, ...path: PayloadPath): string {
  const text = textAt(value, ...path);
  return /^https?:\/\/[^\s<>"]+$/i.test(text) && URL.canParse(text) ? text : '';
}

/** Returns a time as `2026-11-20 16:30:05 UTC`; empty if it is invalid or Go's zero time. A number is in seconds since 1970. */
export function timeAt(value: unknown, ...path: PayloadPath): string {
  const found = valueAt(value, ...path);
  const date = new Date(typeof found === 'number' ? found * 1000 : textAt(value, ...path));
  if (Number.isNaN(date.getTime()) || date.getTime() <= 0) return '';
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Cuts a text to at most `max` UTF-16 units without splitting a surrogate pair. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** Returns the payload. Throws `Refusal` (`bad_request`) if it is not a JSON object. */
export function requirePayloadObject(payload: unknown, program: string): object {
  if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload;
  throw new Refusal('bad_request', { text: `This is not a payload of ${program}: expected a JSON object.` });
}

/** Returns true if the payload is an object with all these fields. */
export function hasFields(payload: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => valueAt(payload, name) !== undefined);
}
