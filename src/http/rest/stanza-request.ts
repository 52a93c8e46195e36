import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { stanzaFromJson } from '../../stanza/json/mapping.ts';
import { parseUrlencodedForm } from '../../stanza/json/urlencoded-form.ts';
import { parseStanza } from '../../stanza/parse.ts';
import { decodeUtf8, parseJsonText } from '../common/read-body.ts';

/** A POST with a stanza in its path, its body or both. */
export interface StanzaRequest {
  /** The path below `messages.rest_path`, decoded; undefined for that path itself and for `echo`. */
  readonly path?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body: Uint8Array;
}

/** Like mod_rest, checks only the first letter of the kind here; `stanzaFromJson` refuses unknown kinds. */
const PATH = /^([mpi][A-Za-z0-9]+)\/(\w+)\/(.*)$/s;

export const STANZA_REQUEST_TYPES = [
  'application/xmpp+xml',
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
] as const;

/** Parses the stanza of a POST. Throws `Refusal`: `bad_request`, `media_type_unknown`. */
export function parseStanzaRequest({ path, contentType, body }: StanzaRequest): Element {
  const type = /^[^; ]*/.exec(contentType ?? '')?.[0].toLowerCase();
  switch (type) {
    case 'application/xmpp+xml':
      return applyPathToXml(parseStanza(decodeUtf8(body)), path);
    case 'application/json':
      return stanzaFromJson(applyPath(parseJsonText(decodeUtf8(body)) as JsonValue, path));
    case 'application/x-www-form-urlencoded':
      return parseFormStanza(decodeUtf8(body), path);
    case 'text/plain':
      return parseTextStanza(decodeUtf8(body), path);
    case '':
    case undefined:
      if (path !== undefined) return stanzaFromJson(applyPath({}, path));
  }
  throw new Refusal('media_type_unknown', {
    text: `The body must be one of ${STANZA_REQUEST_TYPES.join(', ')}.`,
  });
}

/** Parses the iq of a GET. `path` is NAME/RECIPIENT; `query` is the part after the question mark. */
export function parseIqQuery(path: string, query: string): Element {
  const given = query === '' ? {} : parseUrlencodedForm(query);
  if (given === undefined) throw malformed('The part after the question mark must be name=value.');
  return stanzaFromJson(applyPath(given, `iq/${path}`));
}

function parseFormStanza(text: string, path: string | undefined): Element {
  const form = parseUrlencodedForm(text);
  if (form !== undefined) return stanzaFromJson(applyPath(form, path));
  if (path !== undefined) throw malformed('The form has no field.');
  return parseTextStanza(text, path);
}

function parseTextStanza(text: string, path: string | undefined): Element {
  if (path === undefined) return stanzaFromJson({ kind: 'message', type: 'chat', body: text });
  const { kind, ...rest } = parseStanzaPath(path);
  if (kind === 'message') return stanzaFromJson({ kind, ...rest, body: text });
  if (kind === 'presence') return stanzaFromJson({ kind, ...rest, show: text });
  throw malformed('Text can only be a message or the "show" of a presence.');
}

interface StanzaPath {
  readonly kind: string;
  readonly type: string;
  readonly to?: string;
}

function parseStanzaPath(path: string): StanzaPath {
  const [, kind = '', type = '', to = ''] = PATH.exec(path) ?? [];
  if (kind === '')
    throw malformed('The path must be KIND/TYPE/RECIPIENT, such as message/chat/romeo@example.org.');
  return { kind, type, ...(to !== '' && { to }) };
}

/** Adds the path to a JSON body; the path wins. With `iq/NAME/…` the body becomes the value of the key NAME. */
function applyPath(body: JsonValue, path: string | undefined): JsonValue {
  if (path === undefined) return body;
  const { kind, type, ...to } = parseStanzaPath(path);
  if (kind !== 'iq' || type === 'get' || type === 'set') {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
    return { ...body, kind, type, ...to };
  }
  const payload: JsonObject = { [type]: type === 'ping' ? true : body };
  return { kind, ...payload, ...to };
}

function applyPathToXml(stanza: Element, path: string | undefined): Element {
  if (path === undefined) return stanza;
  const { kind, type, to } = parseStanzaPath(path);
  if (kind !== stanza.name)
    throw malformed(`The path names the kind ${kind}, but the body is <${stanza.name}/>.`);
  if (kind !== 'iq' || type === 'get' || type === 'set') stanza.attrs.type = type;
  if (kind === 'presence' && type === 'available') delete stanza.attrs.type;
  if (to !== undefined) stanza.attrs.to = to;
  return stanza;
}

function malformed(text: string): Refusal {
  return new Refusal('bad_request', { text });
}
