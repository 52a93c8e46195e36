import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { formatBareJid, parseJid } from '../../base/jid.ts';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { MAX_STANZA_DEPTH, toCanonical } from '../canonical.ts';
import { expandArchiveQuery } from './archive-query.ts';
import { addressFields } from './common-fields.ts';
import { errorField } from './error-field.ts';
import { type FieldTable, isJsonObject, isTooDeep, readFields, writeFields } from './fields.ts';
import { iqFields } from './iq-fields.ts';
import { messageFields } from './message-fields.ts';
import { presenceFields } from './presence-fields.ts';
import { inferKindAndType, STANZA_KINDS, type StanzaKind } from './stanza-kind.ts';

/** A stanza as JSON, in the keys of Prosody's mod_rest (docs/rest.md has all of them). */
export type JsonStanza = JsonObject;

const FIELDS: Readonly<Record<StanzaKind, FieldTable>> = {
  message: { ...messageFields, error: errorField },
  presence: { ...presenceFields, error: errorField },
  iq: { ...iqFields, error: errorField },
};

/**
 * A stanza as an object; several in an `<xmpp/>` as `{xmpp: […]}`. What no key stands for is left out. Refuses with
 * `bad_request` what is no stanza or nested beyond all measure.
 */
export function stanzaToJson(stanza: Element): JsonStanza {
  if (stanza.getName() === 'xmpp') return { xmpp: stanza.getChildElements().map(stanzaToJson) };
  const kind = STANZA_KINDS.find((one) => one === stanza.getName());
  if (kind === undefined) throw notAStanza(`<${stanza.getName()}/> is neither message, presence nor iq.`);
  const whole = toCanonical(stanza);
  const { to, from, ...rest } = readFields(addressFields, whole);
  const type = whole.attrs.type ?? (kind === 'presence' ? 'available' : undefined);
  return {
    kind,
    ...(type !== undefined && { type }),
    ...(to !== undefined && { to: folded(to) }),
    ...(from !== undefined && { from: folded(from) }),
    ...rest,
    ...readFields(FIELDS[kind], whole),
  };
}

/**
 * The stanza that an object means. Keys that nobody knows are dropped, and `from` counts only where there is a `to`.
 * Refuses with `bad_request` what is no object, of no kind, or has a value that its key cannot have.
 */
export function stanzaFromJson(object: unknown): Element {
  const given = object as JsonValue;
  if (!isJsonObject(given) || Object.keys(given).length === 0)
    throw notAStanza('It must be an object with keys.');
  if (isTooDeep(given)) throw notAStanza(`It is nested more than ${MAX_STANZA_DEPTH} deep.`);
  const { kind: named, type } = inferKindAndType(given);
  const kind = STANZA_KINDS.find((one) => one === named);
  if (kind === undefined) throw notAStanza('"kind" must be message, presence or iq.');
  const stanza = xml(kind, typeOf(given, type));
  const { from, ...others } = given;
  writeFields(addressFields, stanza, typeof given.to === 'string' ? given : others);
  writeFields(FIELDS[kind], stanza, contentOf(kind, type, given));
  return stanza;
}

function typeOf(given: JsonObject, type: string | undefined): { type?: string } {
  if (isJsonObject(given.error)) return { type: 'error' };
  return type === undefined ? {} : { type };
}

function contentOf(kind: StanzaKind, type: string | undefined, given: JsonObject): JsonObject {
  const { error: wrong, ...content } = given;
  if (isJsonObject(wrong)) return given;
  if (type === 'error') return { ...content, error: { text: given.body ?? null } };
  if (kind !== 'iq' || type !== 'set' || given.archive === undefined) return content;
  return { ...content, archive: expandArchiveQuery(given.archive) };
}

/** As every server would write it; what is no JID is left as it is. */
function folded(jid: JsonValue): JsonValue {
  const parsed = typeof jid === 'string' ? parseJid(jid) : undefined;
  if (parsed === undefined) return jid;
  return parsed.resource === '' ? formatBareJid(parsed) : `${formatBareJid(parsed)}/${parsed.resource}`;
}

function notAStanza(text: string): Refusal {
  return new Refusal('bad_request', { text: `The stanza cannot be read. ${text}` });
}
