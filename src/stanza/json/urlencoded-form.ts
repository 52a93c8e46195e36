import type { JsonObject } from '../../base/json.ts';

/** What of a stanza fits into a form: texts, numbers, and `true` as an empty field. */
export function toUrlencodedForm(stanza: JsonObject): string {
  const form = new URLSearchParams();
  for (const [key, value] of Object.entries(stanza)) {
    if (typeof value === 'string' || typeof value === 'number') form.append(key, String(value));
    else if (value === true) form.append(key, '');
  }
  return form.toString();
}

/** The fields of a form, of several with one name the last; undefined where it has not one `=` and so is no form. */
export function parseUrlencodedForm(text: string): JsonObject | undefined {
  if (!text.includes('=')) return undefined;
  return Object.fromEntries(new URLSearchParams(text));
}
