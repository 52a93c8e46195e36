import type { JsonObject } from '../../base/json.ts';
/** Returns the parts of a stanza that a form can hold: texts, numbers, and `true` as an empty field. */
export function toUrlencodedForm(stanza: JsonObject): string {
  const form = new URLSearchParams();
  for (const [key, value] of Object.entries(stanza)) {
    if (typeof value === 'string' || typeof value === 'number') form.append(key, String(value));
    else if (value === true) form.append(key, '');
  }
  return form.toString();
}

/** Returns the fields of a form; the last of several with one name counts. Returns undefined if the text has no `=`: it is not a form. */
export function parseUrlencodedForm(text: string): JsonObject | undefined {
  if (!text.includes('=')) return undefined;
  return Object.fromEntries(new URLSearchParams(text));
}
