import { Refusal } from '../../base/errors.ts';
import { parsePeriod } from '../../base/units.ts';
import type { SendRequest } from '../../messages/send-messages.ts';
import { MESSAGE_TYPES, type MessageType, parseXhtmlIm } from '../../stanza/message.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { parseJsonText } from '../common/decode-body.ts';

/** What a request says in texts, each under its name and maybe more than once. */
export type FormFields = ReadonlyMap<string, readonly string[]>;

/** All of a request but its files. */
export type ParsedMessage = Pick<SendRequest, 'to' | 'message' | 'room' | 'bounceWait'>;

const MAX_WAIT_MS = 60_000;
const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * Makes a message of its fields: those of the body count before those of the query, and both before the recipient
 * in the path. Fields that nobody knows are passed over.
 */
export function parseMessage(body: FormFields, query: FormFields, inPath: string): ParsedMessage {
  const text = (name: string) => textOf(body, name) ?? textOf(query, name);
  const type = readType(text('type'));
  const html = text('html');
  return {
    to: body.get('to') ?? query.get('to') ?? [inPath],
    message: {
      type,
      body: text('body'),
      subject: text('subject'),
      thread: text('thread'),
      lang: readLanguage(text('lang')),
      html: html === undefined ? undefined : parseXhtmlIm(html),
    },
    room: type === 'groupchat' ? { nick: text('nick'), password: textOf(body, 'password') } : undefined,
    bounceWait: parseWait(text('wait')),
  };
}

/** Of a repeated field the first counts; an empty one is none. */
function textOf(fields: FormFields, name: string): string | undefined {
  const text = fields.get(name)?.[0];
  return text === undefined || text === '' ? undefined : toXmlText(text);
}

function readType(text = 'chat'): MessageType {
  const type = MESSAGE_TYPES.find((known) => known === text);
  if (type) return type;
  throw new Refusal('bad_request', { text: `The type must be one of ${MESSAGE_TYPES.join(', ')}.` });
}

function readLanguage(text: string | undefined): string | undefined {
  if (text === undefined || LANGUAGE.test(text)) return text;
  throw new Refusal('bad_request', { text: 'The lang must be a language tag such as en or pt-BR.' });
}

export function parseWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const wait = parsePeriod(text);
  if (wait !== undefined && wait <= MAX_WAIT_MS) return wait;
  throw new Refusal('bad_request', { text: 'The wait must be a time up to 60s, such as 0, 500ms or 2s.' });
}

/** `application/x-www-form-urlencoded`, and queries. */
export function parseForm(text: string): FormFields {
  return toFormFields(new URLSearchParams(text));
}

/** A form without a single `=` is what somebody said who forgot to say that it is plain text. */
export const looksLikeForm = (text: string): boolean => text.includes('=');

export function parseFormOrText(text: string): FormFields {
  return looksLikeForm(text) ? parseForm(text) : new Map([['body', [text]]]);
}

export function toFormFields(entries: Iterable<readonly [string, string]>): FormFields {
  const fields = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const known = fields.get(name);
    if (known) known.push(value);
    else fields.set(name, [value]);
  }
  return fields;
}

/** A JSON object of texts; `to` may be a list of them. */
export function parseJsonFields(text: string): FormFields {
  const value = parseJsonText(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('bad_request', { text: 'The body must be a JSON object.' });
  }
  const fields = new Map<string, string[]>();
  for (const [name, given] of Object.entries(value)) {
    if (given === null || !KNOWN.has(name)) continue;
    const texts: unknown[] = name === 'to' && Array.isArray(given) ? given : [given];
    fields.set(
      name,
      texts.map((one) => readText(name, one)),
    );
  }
  return fields;
}

const KNOWN = new Set([
  'to',
  'type',
  'body',
  'subject',
  'thread',
  'lang',
  'html',
  'nick',
  'password',
  'wait',
]);

function readText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && name === 'wait') return String(value);
  throw new Refusal('bad_request', { text: `The field "${name}" must be text.` });
}
