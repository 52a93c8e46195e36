import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { stanzaFromJson } from '../../stanza/json/mapping.ts';
import { parseUrlencodedForm } from '../../stanza/json/urlencoded-form.ts';
import { parseStanza } from '../../stanza/parse.ts';
import { decodeUtf8, parseJsonText } from '../common/decode-body.ts';

/** What a request says, read from its path or its body. */
export interface StanzaRequest {
  /** Below `messages.rest_path`, decoded; undefined for that path itself and for `echo`. */
  readonly path?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body: Uint8Array;
}

/** First two letters of a kind are enough for mod_rest, too; what they are not is found out by `stanzaFromJson`. */
const PATH = /^([mpi][A-Za-z0-9]+)\/(\w+)\/(.*)$/s;

export const STANZA_REQUEST_TYPES = [
  'application/xmpp+xml',
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
] as const;

/** The stanza of a POST. Refusals: `bad_request`, `media_type_unknown`. */
export function parseStanzaRequest({ path, contentType, body }: StanzaRequest): Element {
  const type = /^[^; ]*/.exec(contentType ?? '')?.[0].toLowerCase();
  switch (type) {
    case 'application/xmpp+xml':
      return amendXml(parseStanza(decodeUtf8(body)), path);
    case 'application/json':
      return stanzaFromJson(amend(parseJsonText(decodeUtf8(body)) as JsonValue, path));
    case 'application/x-www-form-urlencoded':
      return readForm(decodeUtf8(body), path);
    case 'text/plain':
      return readText(decodeUtf8(body), path);
    case '':
    case undefined:
      if (path !== undefined) return stanzaFromJson(amend({}, path));
  }
  throw new Refusal('media_type_unknown', {
    text: `The body must be one of ${STANZA_REQUEST_TYPES.join(', ')}.`,
  });
}

/** A question as a GET has it: `path` is what is asked and whom, `query` what stands behind the question mark. */
export function parseIqQuery(path: string, query: string): Element {
  const given = query === '' ? {} : parseUrlencodedForm(query);
  if (given === undefined) throw malformed('What stands behind the question mark must be name=value.');
  return stanzaFromJson(amend(given, `iq/${path}`));
}

function readForm(text: string, path: string | undefined): Element {
  const form = parseUrlencodedForm(text);
  if (form !== undefined) return stanzaFromJson(amend(form, path));
  if (path !== undefined) throw malformed('The form has no field.');
  return readText(text, path);
}

function readText(text: string, path: string | undefined): Element {
  if (path === undefined) return stanzaFromJson({ kind: 'message', type: 'chat', body: text });
  const { kind, ...rest } = placeOf(path);
  if (kind === 'message') return stanzaFromJson({ kind, ...rest, body: text });
  if (kind === 'presence') return stanzaFromJson({ kind, ...rest, show: text });
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
function amend(given: JsonValue, path: string | undefined): JsonValue {
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
