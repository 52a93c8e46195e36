import { createHmac } from 'node:crypto';
import type { Element } from '@xmpp/xml';
import { stanzaToJson } from '../../stanza/json/mapping.ts';
import type { StanzaKind } from '../../stanza/json/stanza-kind.ts';
import type { HttpClientRequest } from './http-client.ts';

export type StanzaFormat = 'json' | 'xml';

/** `messages.callback_url` and `messages.callback` of the current config. Times in milliseconds. */
export interface CallbackRules {
  /** May contain the placeholders `{kind}`, `{type}`, `{to}` and `{from}`. */
  readonly url: string;
  /** Used if the receiver does not announce a format. */
  readonly format: StanzaFormat;
  /** Key that signs requests. Null if they are not signed. */
  readonly secret: string | null;
  readonly stanzas: readonly StanzaKind[];
  readonly timeout: number;
  readonly keepTrying: number;
  readonly maxWaiting: number;
  /** Maximum size of a response body, in bytes. */
  readonly maxSize: number;
}

/** Values of the placeholders in the callback URL. */
export interface UrlPlaceholders {
  readonly kind: string;
  readonly type: string;
  readonly to: string;
  readonly from: string;
}

const STANZA_MEDIA_TYPES: Readonly<Record<StanzaFormat, string>> = {
  json: 'application/json',
  xml: 'application/xmpp+xml',
};

const ACCEPT = 'application/xmpp+xml, application/json, application/x-www-form-urlencoded, text/plain';

/** The type of a stanza without a `type` attribute: RFC 6121 §5.2.2 (message) and §4.7.1 (presence). */
const DEFAULT_TYPES: Readonly<Record<string, string>> = { message: 'normal', presence: 'available' };

function urlPlaceholders({ name, attrs }: Element): UrlPlaceholders {
  return {
    kind: name,
    type: attrs.type ?? DEFAULT_TYPES[name] ?? '',
    to: attrs.to ?? '',
    from: attrs.from ?? '',
  };
}

/** Creates the request that delivers a stanza. `delivery` is an id that stays the same in all attempts. */
export function createStanzaRequest(
  rules: CallbackRules,
  { stanza, format, delivery, now }: { stanza: Element; format: StanzaFormat; delivery: string; now: number },
): HttpClientRequest {
  const body = format === 'json' ? JSON.stringify(stanzaToJson(stanza)) : stanza.toString();
  const lang = stanza.attrs['xml:lang'];
  return {
    method: 'POST',
    url: fillPlaceholders(rules, urlPlaceholders(stanza)),
    headers: {
      'Content-Type': STANZA_MEDIA_TYPES[format],
      ...(lang !== undefined && /^[A-Za-z0-9-]+$/.test(lang) && { 'Content-Language': lang }),
      Accept: ACCEPT,
      'User-Agent': 'Porter',
      'X-Porter-Delivery': delivery,
      ...signatureHeaders(rules, body, now),
    },
    body,
  };
}

/** Creates the request that asks the receiver for its preferred format. */
export function createFormatRequest(
  rules: CallbackRules,
  componentJid: string,
  now: number,
): HttpClientRequest {
  const placeholders = { kind: 'meta', type: 'info', to: componentJid, from: componentJid };
  return {
    method: 'OPTIONS',
    url: fillPlaceholders(rules, placeholders),
    headers: { Accept: ACCEPT, 'User-Agent': 'Porter', ...signatureHeaders(rules, '', now) },
  };
}

/** Returns the first supported format of an `Accept` header, or undefined if it lists none. */
export function parseAcceptedFormat(accept: string): StanzaFormat | undefined {
  const positions = (['json', 'xml'] as const)
    .map((format) => ({ format, index: accept.toLowerCase().indexOf(STANZA_MEDIA_TYPES[format]) }))
    .filter(({ index }) => index >= 0);
  return positions.toSorted((a, b) => a.index - b.index)[0]?.format;
}

function fillPlaceholders({ url }: CallbackRules, placeholders: UrlPlaceholders): URL {
  const filled = url.replace(/\{(kind|type|to|from)\}/g, (_, key: keyof UrlPlaceholders) =>
    encodePlaceholder(placeholders[key]),
  );
  // Checked first, because the error of `new URL` contains the URL, which may contain secrets.
  if (!URL.canParse(filled)) {
    throw new Error('messages.callback_url is not a valid URL after its placeholders are replaced.');
  }
  return new URL(filled);
}

/**
 * Percent-encodes a value. A URL parser resolves a path segment of one or two dots, also if the dots are percent-encoded. The dots
 * of such values are therefore encoded twice: the sender of a stanza must not choose the path.
 */
function encodePlaceholder(value: string): string {
  const encoded = encodeURIComponent(value.toWellFormed());
  return /^\.+$/.test(encoded) ? encoded.replaceAll('.', '%252E') : encoded;
}

/**
 * The signed text includes the time, so that a receiver can reject old requests. The second header has the form of
 * GitHub's webhooks (also WebSub §7), which many receivers can already verify.
 */
function signatureHeaders({ secret }: CallbackRules, body: string, now: number): Record<string, string> {
  if (secret === null) return {};
  const seconds = Math.floor(now / 1000);
  const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('hex');
  return {
    'X-Porter-Signature': `t=${seconds},v1=${hmac(`${seconds}.${body}`)}`,
    'X-Hub-Signature-256': `sha256=${hmac(body)}`,
  };
}
