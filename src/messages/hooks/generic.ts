import { Refusal } from '../../base/errors.ts';
import type { FieldPaths, Format } from './notice.ts';
import { at, firstOf, lineAt, linkAt, oneLine, type Path, textAt } from './read.ts';
import { lines, plain, strong } from './styling.ts';

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
export const readGeneric: Format = ({ payload }, { fields }) => {
  if (typeof payload === 'string') return { text: payload.trim() || nothing(), images: [] };
  const find = <T>(name: keyof FieldPaths, read: (path: Path) => T, isThere: (value: T) => boolean): T => {
    const own = fields[name];
    const paths = own === null ? USUAL[name].map((key) => [key]) : [pathOf(own)];
    const found = paths.map(read);
    return found.find(isThere) ?? (found[0] as T);
  };
  const some = (text: string) => text !== '';
  const title = find('title', (path) => lineAt(payload, ...path), some);
  const text = find('text', (path) => describe(at(payload, ...path)), some);
  const link = find('link', (path) => linkAt(payload, ...path), some);
  const image = find('image', (path) => linkAt(payload, ...path), some);
  const username = find('username', (path) => lineAt(payload, ...path), some);
  const told = lines(title === '' ? '' : strong(title), text, text.includes(link) ? '' : link);
  const all = firstOf(told, listing(payload));
  if (all === '' && image === '') nothing();
  return { text: all, images: image === '' ? [] : [image], ...(username !== '' && { username }) };
};

function nothing(): never {
  throw new Refusal('body_missing', {
    text: 'Nothing in this payload can be told: set `fields` or `template`.',
  });
}

/** `/a/0/b~1c` (RFC 6901), or `a.0.b`. */
export function pathOf(text: string): Path {
  if (!text.startsWith('/')) return text.split('.');
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Texts may style themselves: they were written as messages. */
function describe(value: unknown): string {
  if (!Array.isArray(value)) return value instanceof Object ? listing(value) : brief(value);
  return lines(...value.slice(0, MAX_LISTED).map((item) => `- ${plain(oneLine(textAt({ item }, 'item')))}`));
}

function listing(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const shown = Object.entries(value)
    .slice(0, MAX_LISTED)
    .map(([name, one]) => [oneLine(name), oneLine(brief(one))])
    .filter(([, text]) => text !== '');
  return lines(...shown.map(([name, text]) => plain(`${name}: ${text}`)));
}

function brief(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : textAt({ value }, 'value');
}
