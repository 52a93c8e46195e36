import { Refusal } from '../../base/errors.ts';
import type { SendRequest } from '../../messages/send-messages.ts';
import { MESSAGE_TYPES, type MessageType, parseXhtmlIm } from '../../stanza/message.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { type FormFields, parseWait } from '../common/form-fields.ts';
import { parseJsonText } from '../common/read-body.ts';

/** A message request without its files. */
export type ParsedMessage = Pick<SendRequest, 'to' | 'message' | 'room' | 'bounceWait'>;

const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$/;

/**
 * Creates a message from its fields. A field of the body wins over the query, and both over the recipient in the path. Unknown
 * fields are ignored. Throws `Refusal` (`bad_request`).
 */
export function parseMessage(body: FormFields, query: FormFields, recipientInPath: string): ParsedMessage {
  const text = (name: string) => textField(body, name) ?? textField(query, name);
  const type = parseType(text('type'));
  const html = text('html');
  return {
    to: body.get('to') ?? query.get('to') ?? [recipientInPath],
    message: {
      type,
      body: text('body'),
      subject: text('subject'),
      thread: text('thread'),
      lang: parseLanguage(text('lang')),
      html: html === undefined ? undefined : parseXhtmlIm(html),
    },
    room: type === 'groupchat' ? { nick: text('nick'), password: textField(body, 'password') } : undefined,
    bounceWait: parseWait(text('wait')),
  };
}

/** Returns the first value of a field; undefined if it is empty. */
function textField(fields: FormFields, name: string): string | undefined {
  const text = fields.get(name)?.[0];
  return text === undefined || text === '' ? undefined : toXmlText(text);
}

function parseType(text = 'chat'): MessageType {
  const type = MESSAGE_TYPES.find((known) => known === text);
  if (type) return type;
  throw new Refusal('bad_request', { text: `The type must be one of ${MESSAGE_TYPES.join(', ')}.` });
}

function parseLanguage(text: string | undefined): string | undefined {
  if (text === undefined || LANGUAGE.test(text)) return text;
  throw new Refusal('bad_request', { text: 'The lang must be a language tag such as en or pt-BR.' });
}

/** The fields of a message in a form or a JSON object. */
export const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
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

/** Parses a JSON object of texts. `to` may be a list. Throws `Refusal` (`bad_request`). */
export function parseJsonFields(text: string): FormFields {
  const object = parseJsonText(text);
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new Refusal('bad_request', { text: 'The body must be a JSON object.' });
  }
  const fields = new Map<string, string[]>();
  for (const [name, value] of Object.entries(object)) {
    if (value === null || !MESSAGE_FIELDS.has(name)) continue;
    const values: unknown[] = name === 'to' && Array.isArray(value) ? value : [value];
    fields.set(
      name,
      values.map((one) => requireText(name, one)),
    );
  }
  return fields;
}

function requireText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && name === 'wait') return String(value);
  throw new Refusal('bad_request', { text: `The field "${name}" must be text.` });
}
