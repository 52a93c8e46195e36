import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import type { Json, JsonObject } from '../../messages/json/fields.ts';
import { fromForm } from '../../messages/json/form.ts';
import { fromJson } from '../../messages/json/mapping.ts';
import { parseStanza } from '../../messages/xml.ts';
import { jsonIn, utf8In } from '../body-text.ts';

/** What a request says, read from its path or its body. */
export interface RestCall {
  /** Below `messages.rest_path`, decoded; undefined for that path itself and for `echo`. */
  readonly path?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body: Uint8Array;
}

/** First two letters of a kind are enough for mod_rest, too; what they are not is found out by `fromJson`. */
const PATH = /^([mpi][A-Za-z0-9]+)\/(\w+)\/(.*)$/s;

export const INPUTS = [
  'application/xmpp+xml',
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
] as const;

/** The stanza of a POST. Refusals: `bad_request`, `media_type_unknown`. */
export function readStanza({ path, contentType, body }: RestCall): Element {
  const type = /^[^; ]*/.exec(contentType ?? '')?.[0].toLowerCase();
  switch (type) {
    case 'application/xmpp+xml':
      return amendXml(parseStanza(utf8In(body)), path);
    case 'application/json':
      return fromJson(amend(jsonIn(utf8In(body)) as Json, path));
    case 'application/x-www-form-urlencoded':
      return readForm(utf8In(body), path);
    case 'text/plain':
      return readText(utf8In(body), path);
    case '':
    case undefined:
      if (path !== undefined) return fromJson(amend({}, path));
  }
  throw new Refusal('media_type_unknown', { text: `The body must be one of ${INPUTS.join(', ')}.` });
}

/** A question as a GET has it: `path` is what is asked and whom, `query` what stands behind the question mark. */
export function readQuestion(path: string, query: string): Element {
  const given = query === '' ? {} : fromForm(query);
  if (given === undefined) throw malformed('What stands behind the question mark must be name=value.');
  return fromJson(amend(given, `iq/${path}`));
}

function readForm(text: string, path: string | undefined): Element {
  const form = fromForm(text);
  if (form !== undefined) return fromJson(amend(form, path));
  if (path !== undefined) throw malformed('The form has no field.');
  return readText(text, path);
}

function readText(text: string, path: string | undefined): Element {
  if (path === undefined) return fromJson({ kind: 'message', type: 'chat', body: text });
  const { kind, ...rest } = placeOf(path);
  if (kind === 'message') return fromJson({ kind, ...rest, body: text });
  if (kind === 'presence') return fromJson({ kind, ...rest, show: text });
  throw malformed('Text can only be a message or the "show" of a presence.');
}

interface Place {
  readonly kind: string;
  readonly type: string;
  readonly to?: string;
}

function placeOf(path: string): Place {
  const [, kind = '', type = '', to = ''] = PATH.exec(path) ?? [];
  if (kind === '')
    throw malformed('The path must be KIND/TYPE/RECIPIENT, such as message/chat/romeo@example.org.');
  return { kind, type, ...(to !== '' && { to }) };
}

/** The path wins over the body. `iq/NAME/…` makes of the body what the key NAME has. */
function amend(given: Json, path: string | undefined): Json {
  if (path === undefined) return given;
  const { kind, type, ...to } = placeOf(path);
  if (kind !== 'iq' || type === 'get' || type === 'set') {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    return { ...given, kind, type, ...to };
  }
  const payload: JsonObject = { [type]: type === 'ping' ? true : given };
  return { kind, ...payload, ...to };
}

function amendXml(stanza: Element, path: string | undefined): Element {
  if (path === undefined) return stanza;
  const { kind, type, to } = placeOf(path);
  if (kind !== stanza.name) throw malformed(`The path says ${kind}, the body <${stanza.name}/>.`);
  if (kind !== 'iq' || type === 'get' || type === 'set') stanza.attrs.type = type;
  if (kind === 'presence' && type === 'available') delete stanza.attrs.type;
  if (to !== undefined) stanza.attrs.to = to;
  return stanza;
}

function malformed(text: string): Refusal {
  return new Refusal('bad_request', { text });
}
