import mustache from 'mustache';
import { escapeStyling } from './styling.ts';

/**
 * A hook's own text over what was posted. `{{x}}` is foreign text that styles nothing, `{{{x}}}` the same as it is;
 * `porter.text` is the text that the template takes the place of. Templates are the admin's and were read with the
 * config; the payload can run nothing in them.
 */
export function renderTemplate(template: string, payload: unknown, text: string): string {
  const section = payload instanceof Object && !Array.isArray(payload) ? payload : { text: payload };
  const view = { ...section, porter: { text } };
  return mustache
    .render(template, view, {}, { escape: (value: unknown) => escapeStyling(String(value)) })
    .trim();
}
