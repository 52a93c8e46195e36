import { Refusal } from '../../../base/errors.ts';
import type { FieldPaths, HookFormat, HookProgram } from '../hook-message.ts';
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

/** Limit of listed fields of a payload without a message. */
const MAX_LISTED = 50;

/** Common names of the fields, used if the hook sets no path. The first one that exists is used. */
const COMMON_NAMES: Readonly<Record<keyof FieldPaths, readonly string[]>> = {
  title: ['title', 'subject'],
  text: ['text', 'message', 'msg', 'body', 'content', 'description'],
  link: ['link', 'url'],
  image: ['image', 'image_url', 'imageURL'],
  username: ['username'],
};

/**
 * A text is sent unchanged. In JSON and forms, the message consists of the fields that the hook configures, else the
 * fields with common names, else all fields.
 */
const parse: HookFormat = ({ payload }, { fields }) => {
  if (typeof payload === 'string') return { text: payload.trim() || throwTextMissing(), images: [] };
  const find = <T>(
    name: keyof FieldPaths,
    read: (path: PayloadPath) => T,
    isPresent: (value: T) => boolean,
  ): T => {
    const configured = fields[name];
    const paths =
      configured === null ? COMMON_NAMES[name].map((key) => [key]) : [parsePayloadPath(configured)];
    const values = paths.map(read);
    return values.find(isPresent) ?? (values[0] as T);
  };
  const isPresent = (text: string) => text !== '';
  const title = find('title', (path) => lineAt(payload, ...path), isPresent);
  const text = find('text', (path) => formatValue(valueAt(payload, ...path)), isPresent);
  const link = find('link', (path) => linkAt(payload, ...path), isPresent);
  const image = find('image', (path) => linkAt(payload, ...path), isPresent);
  const username = find('username', (path) => lineAt(payload, ...path), isPresent);
  const message = joinLines(title === '' ? '' : bold(title), text, text.includes(link) ? '' : link);
  const shown = firstNonEmpty(message, formatFields(payload));
  if (shown === '' && image === '') throwTextMissing();
  return { text: shown, images: image === '' ? [] : [image], ...(username !== '' && { username }) };
};

/** Any other program. */
export const generic: HookProgram = { parse };

function throwTextMissing(): never {
  throw new Refusal('body_missing', {
    text: 'The payload contains no text. Set `fields` or `template` of the hook.',
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

/** Texts keep their styling, because they were written as messages. */
function formatValue(value: unknown): string {
  if (!Array.isArray(value)) return value instanceof Object ? formatFields(value) : formatScalar(value);
  return joinLines(
    ...value.slice(0, MAX_LISTED).map((item) => `- ${escapeStyling(toOneLine(textAt({ item }, 'item')))}`),
  );
}

function formatFields(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const shown = Object.entries(value)
    .slice(0, MAX_LISTED)
    .map(([name, one]) => [toOneLine(name), toOneLine(formatScalar(one))])
    .filter(([, text]) => text !== '');
  return joinLines(...shown.map(([name, text]) => escapeStyling(`${name}: ${text}`)));
}

function formatScalar(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : textAt({ value }, 'value');
}
