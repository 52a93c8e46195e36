import { createHmac } from 'node:crypto';
import type { Element } from '@xmpp/xml';
import { stanzaToJson } from '../../stanza/json/mapping.ts';
import type { HttpClientRequest } from './http-client.ts';

export type StanzaKind = 'message' | 'presence' | 'iq';
export type StanzaFormat = 'json' | 'xml';

/** `messages.callback_url` and `messages.callback`, as of the last reload. Times in milliseconds. */
export interface CallbackRules {
  /** May hold `{kind}`, `{type}`, `{to}` and `{from}`. */
  readonly url: string;
  /** Where the receiver does not say what it takes. */
  readonly format: StanzaFormat;
  /** Signs requests; null = they are not signed. */
  readonly secret: string | null;
  readonly stanzas: readonly StanzaKind[];
  readonly timeout: number;
  readonly keepTrying: number;
  readonly maxWaiting: number;
  /** The longest answer that is read, bytes. */
  readonly maxSize: number;
}

/** What the placeholders of the URL stand for. */
export interface UrlPlaceholders {
  readonly kind: string;
  readonly type: string;
  readonly to: string;
  readonly from: string;
}

export const STANZA_MEDIA_TYPES: Readonly<Record<StanzaFormat, string>> = {
  json: 'application/json',
  xml: 'application/xmpp+xml',
};

const ACCEPT = 'application/xmpp+xml, application/json, application/x-www-form-urlencoded, text/plain';

/** RFC 6121 §5.2.2 and §4.7.1: what a stanza is without a type. */
const DEFAULT_TYPES: Readonly<Record<string, string>> = { message: 'normal', presence: 'available' };

export function urlPlaceholders({ name, attrs }: Element): UrlPlaceholders {
  return {
    kind: name,
    type: attrs.type ?? DEFAULT_TYPES[name] ?? '',
    to: attrs.to ?? '',
    from: attrs.from ?? '',
  };
}

/** One try to hand over a stanza; `delivery` stays the same from try to try. */
export function createStanzaRequest(
  rules: CallbackRules,
  { stanza, format, delivery, now }: { stanza: Element; format: StanzaFormat; delivery: string; now: number },
): HttpClientRequest {
  const body = format === 'json' ? JSON.stringify(stanzaToJson(stanza)) : stanza.toString();
  const lang = stanza.attrs['xml:lang'];
  return {
    method: 'POST',
    url: urlFor(rules, urlPlaceholders(stanza)),
    headers: {
      'Content-Type': STANZA_MEDIA_TYPES[format],
      ...(lang !== undefined && /^[A-Za-z0-9-]+$/.test(lang) && { 'Content-Language': lang }),
      Accept: ACCEPT,
      'User-Agent': 'Porter',
      'X-Porter-Delivery': delivery,
      ...signature(rules, body, now),
    },
    body,
  };
}

/** Asks the receiver in which form it wants stanzas; `host` is our component. */
export function createFormatRequest(rules: CallbackRules, host: string, now: number): HttpClientRequest {
  return {
    method: 'OPTIONS',
    url: urlFor(rules, { kind: 'meta', type: 'info', to: host, from: host }),
    headers: { Accept: ACCEPT, 'User-Agent': 'Porter', ...signature(rules, '', now) },
  };
}

/** The form that an `Accept` names first; undefined where it names none of ours. */
export function parseAcceptedFormat(accept: string): StanzaFormat | undefined {
  const places = (['json', 'xml'] as const)
    .map((format) => ({ format, at: accept.toLowerCase().indexOf(STANZA_MEDIA_TYPES[format]) }))
    .filter(({ at }) => at >= 0);
  return places.toSorted((a, b) => a.at - b.at)[0]?.format;
}

function urlFor({ url }: CallbackRules, subject: UrlPlaceholders): URL {
  const filled = url.replace(/\{(kind|type|to|from)\}/g, (_, key: keyof UrlPlaceholders) =>
    encodeURIComponent(subject[key].toWellFormed()),
  );
  // The URL itself may hold secrets, and an error of its own would name it.
  if (!URL.canParse(filled)) throw new Error('With its placeholders filled in, callback_url is no URL.');
  return new URL(filled);
}

/**
 * The moment is signed with the body, so that a receiver can refuse what is old. The second header is what GitHub
 * made the custom (WebSub §7 has its form): many receivers can check it as they are.
 */
function signature({ secret }: CallbackRules, body: string, now: number): Record<string, string> {
  if (secret === null) return {};
  const seconds = Math.floor(now / 1000);
  const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('hex');
  return {
    'X-Porter-Signature': `t=${seconds},v1=${hmac(`${seconds}.${body}`)}`,
    'X-Hub-Signature-256': `sha256=${hmac(body)}`,
  };
}
