import { Refusal } from '../../../base/errors.ts';
import type { FieldPaths, HookFormat } from '../hook-message.ts';
import {
  firstNonEmpty,
  lineAt,
  linkAt,
  type PayloadPath,
  textAt,
  toOneLine,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../styling.ts';

/** Lines of what nobody has written as a message. */
const MAX_LISTED = 50;

/** Where programs have what, if nobody says it: the first that is there. */
const USUAL: Readonly<Record<keyof FieldPaths, readonly string[]>> = {
  title: ['title', 'subject'],
  text: ['text', 'message', 'msg', 'body', 'content', 'description'],
  link: ['link', 'url'],
  image: ['image', 'image_url', 'imageURL'],
  username: ['username'],
};

/**
 * Any other program: a text as it is; of JSON or a form, the fields that the hook names, else those of the usual
 * names, else all that it has.
 */
export const parseGeneric: HookFormat = ({ payload }, { fields }) => {
  if (typeof payload === 'string') return { text: payload.trim() || nothing(), images: [] };
  const find = <T>(
    name: keyof FieldPaths,
    read: (path: PayloadPath) => T,
    isThere: (value: T) => boolean,
  ): T => {
    const own = fields[name];
    const paths = own === null ? USUAL[name].map((key) => [key]) : [parsePayloadPath(own)];
    const found = paths.map(read);
    return found.find(isThere) ?? (found[0] as T);
  };
  const some = (text: string) => text !== '';
  const title = find('title', (path) => lineAt(payload, ...path), some);
  const text = find('text', (path) => describe(valueAt(payload, ...path)), some);
  const link = find('link', (path) => linkAt(payload, ...path), some);
  const image = find('image', (path) => linkAt(payload, ...path), some);
  const username = find('username', (path) => lineAt(payload, ...path), some);
  const told = joinLines(title === '' ? '' : bold(title), text, text.includes(link) ? '' : link);
  const all = firstNonEmpty(told, listing(payload));
  if (all === '' && image === '') nothing();
  return { text: all, images: image === '' ? [] : [image], ...(username !== '' && { username }) };
};

function nothing(): never {
  throw new Refusal('body_missing', {
    text: 'Nothing in this payload can be told: set `fields` or `template`.',
  });
}

/** `/a/0/b~1c` (RFC 6901), or `a.0.b`. */
export function parsePayloadPath(text: string): PayloadPath {
  if (!text.startsWith('/')) return text.split('.');
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Texts may style themselves: they were written as messages. */
function describe(value: unknown): string {
  if (!Array.isArray(value)) return value instanceof Object ? listing(value) : brief(value);
  return joinLines(
    ...value.slice(0, MAX_LISTED).map((item) => `- ${escapeStyling(toOneLine(textAt({ item }, 'item')))}`),
  );
}

function listing(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const shown = Object.entries(value)
    .slice(0, MAX_LISTED)
    .map(([name, one]) => [toOneLine(name), toOneLine(brief(one))])
    .filter(([, text]) => text !== '');
  return joinLines(...shown.map(([name, text]) => escapeStyling(`${name}: ${text}`)));
}

function brief(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : textAt({ value }, 'value');
}
