import type { JsonObject } from '../../base/json.ts';
export const STANZA_KINDS = ['message', 'presence', 'iq'] as const;
export type StanzaKind = (typeof STANZA_KINDS)[number];

const KIND_BY_TYPE: Readonly<Record<string, StanzaKind>> = {
  get: 'iq',
  set: 'iq',
  result: 'iq',
  normal: 'message',
  chat: 'message',
  headline: 'message',
  groupchat: 'message',
  available: 'presence',
  unavailable: 'presence',
  subscribe: 'presence',
  subscribed: 'presence',
  unsubscribe: 'presence',
  unsubscribed: 'presence',
};

const KIND_BY_KEY: Readonly<Record<string, StanzaKind>> = {
  body: 'message',
  html: 'message',
  replace: 'message',
  state: 'message',
  subject: 'message',
  thread: 'message',
  join: 'presence',
  priority: 'presence',
  show: 'presence',
  status: 'presence',
  disco: 'iq',
  items: 'iq',
  ping: 'iq',
  version: 'iq',
  command: 'iq',
  archive: 'iq',
};

/** Queries that are always of type `set`. */
const SET_QUERIES = ['command', 'archive'];

export interface KindAndType {
  /** As given; possibly not a valid kind. */
  readonly kind: string;
  readonly type: string | undefined;
}

/** Infers kind and type from the keys if the object does not state them. The type `available` means no type attribute. */
export function inferKindAndType(object: JsonObject): KindAndType {
  const has = (key: string) => Object.hasOwn(object, key) && ![null, false].includes(object[key] as null);
  const implied = SET_QUERIES.some(has) ? 'set' : undefined;
  const given = typeof object.type === 'string' ? object.type : implied;
  const key = Object.keys(KIND_BY_KEY).find(has);
  const kind =
    (typeof object.kind === 'string' ? object.kind : undefined) ??
    getOwn(KIND_BY_TYPE, given) ??
    getOwn(KIND_BY_KEY, key) ??
    'message';
  return { kind, type: typeFor(kind, given) };
}

function typeFor(kind: string, given: string | undefined): string | undefined {
  if (kind === 'presence' && given === 'available') return undefined;
  return kind === 'iq' ? (given ?? 'get') : given;
}

function getOwn(
  table: Readonly<Record<string, StanzaKind>>,
  key: string | undefined,
): StanzaKind | undefined {
  return key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}
