import { Refusal } from '../../base/errors.ts';
import { parsePeriod } from '../../base/units.ts';

/** Fields of a form, a query or a JSON object: each name with its values in order. */
export type FormFields = ReadonlyMap<string, readonly string[]>;

/** Parses `application/x-www-form-urlencoded` or a query. */
export function parseForm(text: string): FormFields {
  return toFormFields(new URLSearchParams(text));
}

/** Returns false for text without a single `=`, which programs such as `curl -d` send with the type of a form. */
export const looksLikeForm = (text: string): boolean => text.includes('=');

/**
 * Parses a form. Text without any of the known fields is not a form, although it may have a `=`, and becomes the field `body`:
 * `curl -d 'CPU = 90%'`.
 */
export function parseFormOrText(text: string, knownFields: ReadonlySet<string>): FormFields {
  const fields: FormFields = looksLikeForm(text) ? parseForm(text) : new Map();
  return [...fields.keys()].some((name) => knownFields.has(name)) ? fields : new Map([['body', [text]]]);
}

/** Groups the values of each name. */
export function toFormFields(entries: Iterable<readonly [string, string]>): FormFields {
  const fields = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const values = fields.get(name);
    if (values) values.push(value);
    else fields.set(name, [value]);
  }
  return fields;
}

const MAX_WAIT_MS = 60_000;

/**
 * Parses the parameter `wait`: how long to wait for bounces. A plain number is in seconds. Returns milliseconds, or undefined without
 * the parameter. Throws `Refusal` (`bad_request`).
 */
export function parseWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const wait = parsePeriod(/^\d+$/.test(text) ? `${text}s` : text);
  if (wait !== undefined && wait <= MAX_WAIT_MS) return wait;
  throw new Refusal('bad_request', { text: 'The wait must be a time up to 60s, such as 0, 500ms or 2s.' });
}
