import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { formatJid, parseJid } from '../../base/jid.ts';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { toCanonical } from '../canonical.ts';
import { MAX_STANZA_DEPTH } from '../xml-reader.ts';
import { expandArchiveQuery } from './archive-query.ts';
import { addressFields } from './common-fields.ts';
import { errorField } from './error-field.ts';
import { type FieldTable, isJsonObject, isTooDeep, readFields, writeFields } from './fields.ts';
import { iqFields } from './iq-fields.ts';
import { messageFields } from './message-fields.ts';
import { presenceFields } from './presence-fields.ts';
import { inferKindAndType, STANZA_KINDS, type StanzaKind } from './stanza-kind.ts';

/** A stanza as JSON, with the keys of Prosody's mod_rest (docs/rest.md lists them). */
export type JsonStanza = JsonObject;

const FIELDS: Readonly<Record<StanzaKind, FieldTable>> = {
  message: { ...messageFields, error: errorField },
  presence: { ...presenceFields, error: errorField },
  iq: { ...iqFields, error: errorField },
};

/**
 * Returns a stanza as an object, and several stanzas in an `<xmpp/>` as `{xmpp: […]}`. Leaves out parts without a key.
 * Throws `Refusal` (`bad_request`) if it is not a stanza or is nested too deeply.
 */
export function stanzaToJson(stanza: Element): JsonStanza {
  if (stanza.getName() === 'xmpp') return { xmpp: stanza.getChildElements().map(stanzaToJson) };
  const kind = STANZA_KINDS.find((name) => name === stanza.getName());
  if (kind === undefined) throw invalidStanzaJson(`<${stanza.getName()}/> is not a message, presence or iq.`);
  const copy = toCanonical(stanza);
  const { to, from, ...rest } = readFields(addressFields, copy);
  const type = copy.attrs.type ?? (kind === 'presence' ? 'available' : undefined);
  return {
    kind,
    ...(type !== undefined && { type }),
    ...(to !== undefined && { to: normalizeJid(to) }),
    ...(from !== undefined && { from: normalizeJid(from) }),
    ...rest,
    ...readFields(FIELDS[kind], copy),
  };
}

/**
 * Returns the stanza of an object. Ignores unknown keys, and `from` if there is no `to`. Throws `Refusal` (`bad_request`) if it
 * is not an object, its kind is unknown, or a value is invalid.
 */
export function stanzaFromJson(object: unknown): Element {
  const given = object as JsonValue;
  if (!isJsonObject(given) || Object.keys(given).length === 0)
    throw invalidStanzaJson('it must be an object with keys.');
  if (isTooDeep(given)) throw invalidStanzaJson(`it is nested more than ${MAX_STANZA_DEPTH} deep.`);
  const { kind: givenKind, type } = inferKindAndType(given);
  const kind = STANZA_KINDS.find((name) => name === givenKind);
  if (kind === undefined) throw invalidStanzaJson('"kind" must be message, presence or iq.');
  const stanza = xml(kind, typeAttribute(given, type));
  const { from, ...others } = given;
  writeFields(addressFields, stanza, typeof given.to === 'string' ? given : others);
  writeFields(FIELDS[kind], stanza, selectContent(kind, type, given));
  return stanza;
}

function typeAttribute(given: JsonObject, type: string | undefined): { type?: string } {
  if (isJsonObject(given.error)) return { type: 'error' };
  return type === undefined ? {} : { type };
}

function selectContent(kind: StanzaKind, type: string | undefined, given: JsonObject): JsonObject {
  const { error, ...content } = given;
  if (isJsonObject(error)) return given;
  if (type === 'error') return { ...content, error: { text: given.body ?? null } };
  if (kind !== 'iq' || type !== 'set' || given.archive === undefined) return content;
  return { ...content, archive: expandArchiveQuery(given.archive) };
}

/** Returns the JID in normal form, or any other value unchanged. */
function normalizeJid(jid: JsonValue): JsonValue {
  const parsed = typeof jid === 'string' ? parseJid(jid) : undefined;
  return parsed === undefined ? jid : formatJid(parsed);
}

function invalidStanzaJson(text: string): Refusal {
  return new Refusal('bad_request', { text: `Invalid stanza: ${text}` });
}
