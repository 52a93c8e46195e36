import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import { createErrorElement } from '../../stanza/error-reply.ts';
import { stanzaFromJson } from '../../stanza/json/mapping.ts';
import { parseStanza } from '../../stanza/parse.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import type { HttpClientResponse } from './http-client.ts';

/** XEP-0184. */
const RECEIPTS = 'urn:xmpp:receipts';

/** The meaning of an HTTP response for the stanza that was posted. */
export interface CallbackResult {
  /** True if the stanza may be posted again. `reply` is then sent only if it is not posted again. */
  readonly mayRetry: boolean;
  /** The receiver's `Retry-After`, in milliseconds since 1970. */
  readonly retryAt?: number | undefined;
  /** The stanza that is sent back; undefined for none. */
  readonly reply: Element | undefined;
}

/** Error type and condition by HTTP status, from XEP-0086 with the updates of RFC 6120 §8.3.3. */
const ERRORS: Readonly<Record<number, readonly [type: string, condition: string]>> = {
  400: ['modify', 'bad-request'],
  401: ['auth', 'not-authorized'],
  402: ['auth', 'not-authorized'],
  403: ['auth', 'forbidden'],
  404: ['cancel', 'item-not-found'],
  405: ['cancel', 'not-allowed'],
  406: ['modify', 'not-acceptable'],
  408: ['wait', 'remote-server-timeout'],
  409: ['cancel', 'conflict'],
  410: ['cancel', 'gone'],
  413: ['modify', 'resource-constraint'],
  422: ['modify', 'bad-request'],
  429: ['wait', 'policy-violation'],
  501: ['cancel', 'feature-not-implemented'],
  502: ['wait', 'service-unavailable'],
  503: ['wait', 'service-unavailable'],
  504: ['wait', 'remote-server-timeout'],
};

/** Statuses after which another attempt may succeed: also all server errors, except `NOT_RETRIED`. */
const RETRIED = new Set([408, 425, 429]);
const NOT_RETRIED = new Set([501, 505]);
const isRetried = (status: number) => RETRIED.has(status) || (status >= 500 && !NOT_RETRIED.has(status));

const MAX_TEXT_LENGTH = 500;

/** Returns the reply to the sender of `stanza`, and whether to post the stanza again first. */
export function interpretResponse(
  stanza: Element,
  response: HttpClientResponse,
  now: number,
): CallbackResult {
  const { status } = response;
  if (status === 202 || status === 204) return final(acknowledgement(stanza));
  const reply = replyFromBody(stanza, response);
  if (reply !== undefined) return final(mayReply(stanza) ? reply : undefined);
  if (status >= 200 && status < 300) return final(acknowledgement(stanza));
  const error = createErrorReply(stanza, errorForStatus(status), errorText(response));
  if (!isRetried(status)) return final(error);
  return { mayRetry: true, retryAt: parseRetryAfter(response, now), reply: error };
}

/** The result if no response arrived. */
export function unreachableResult(stanza: Element): CallbackResult {
  const text = 'The service behind this address is not reachable now.';
  return { mayRetry: true, reply: createErrorReply(stanza, ['wait', 'recipient-unavailable'], text) };
}

const final = (reply: Element | undefined): CallbackResult => ({ mayRetry: false, reply });

/** Results and errors are never answered (RFC 6120 §8.3.1). */
const mayReply = ({ attrs: { type } }: Element) => type !== 'error' && type !== 'result';

/** Rooms remove occupants that answer with errors, and errors to headlines are discarded (RFC 6121 §8.5.2.1.1). */
const WITHOUT_ERRORS = new Set(['message groupchat', 'message headline', 'presence unavailable']);
const mayReplyWithError = (stanza: Element) =>
  mayReply(stanza) && !WITHOUT_ERRORS.has(`${stanza.name} ${stanza.attrs.type}`);

const swapAddresses = ({ attrs: { from, to } }: Element) => ({ from: to, to: from });

/** The reply to a success: an iq result, or the receipt that a message requested (XEP-0184 §5.4). */
function acknowledgement(stanza: Element): Element | undefined {
  const { id, type } = stanza.attrs;
  if (!mayReply(stanza)) return undefined;
  if (stanza.name === 'iq') return xml('iq', { ...swapAddresses(stanza), type: 'result', id });
  const requestsReceipt = stanza.getChild('request', RECEIPTS) !== undefined && id !== undefined;
  if (stanza.name !== 'message' || type === 'groupchat' || !requestsReceipt) return undefined;
  const received = xml('received', { xmlns: RECEIPTS, id });
  return xml('message', { ...swapAddresses(stanza), type, id: randomId() }, received);
}

/** The stanza in the response body, addressed to the sender. Undefined if there is none of the same kind. */
function replyFromBody(stanza: Element, response: HttpClientResponse): Element | undefined {
  const given = parseBody(stanza, response);
  if (given === undefined || given.name !== stanza.name) return undefined;
  const { type, id, 'xml:lang': lang } = given.attrs;
  const attributes = { ...swapAddresses(stanza), ...(lang !== undefined && { 'xml:lang': lang }) };
  const children = given.children;
  if (type === 'error') {
    return xml(stanza.name, { ...attributes, type, id: stanza.attrs.id }, ...children);
  }
  if (stanza.name === 'iq') {
    return xml('iq', { ...attributes, type: 'result', id: stanza.attrs.id }, ...children);
  }
  // A message without content is ignored. A presence may consist of its type alone.
  if (stanza.name === 'message' && given.getChildElements().length === 0) return undefined;
  const to = type === 'groupchat' ? parseBareJid(attributes.to ?? '') : attributes.to;
  return xml(stanza.name, { ...attributes, to, type, id: id ?? randomId() }, ...children);
}

/** Plain text and JSON without `kind` are replies only after a success, because error pages have such bodies too. */
function parseBody(stanza: Element, response: HttpClientResponse): Element | undefined {
  const { body, status } = response;
  const isSuccess = status >= 200 && status < 300;
  if (body === null || body.trim() === '') return undefined;
  try {
    switch (mediaType(response)) {
      case 'application/xmpp+xml':
        return parseStanza(body);
      case 'application/json': {
        const object = JSON.parse(body);
        return isSuccess || typeof object?.kind === 'string' ? stanzaFromJson(object) : undefined;
      }
      case 'application/x-www-form-urlencoded':
        return isSuccess ? stanzaFromJson(Object.fromEntries(new URLSearchParams(body))) : undefined;
      case 'text/plain':
        if (!isSuccess || stanza.name !== 'message') return undefined;
        return xml('message', { type: 'chat' }, xml('body', {}, toXmlText(body)));
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const mediaType = (response: HttpClientResponse) =>
  response.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';

function errorForStatus(status: number): readonly [string, string] {
  const known = ERRORS[status];
  if (known) return known;
  if (status >= 500) return ['cancel', 'internal-server-error'];
  return status >= 400 ? ['modify', 'bad-request'] : ['cancel', 'undefined-condition'];
}

/** Uses plain text only: HTML error pages of proxies are not meant for the sender. */
function errorText(response: HttpClientResponse): string {
  const text = mediaType(response) === 'text/plain' ? (response.body ?? '').trim() : '';
  const cut = text.slice(0, MAX_TEXT_LENGTH).toWellFormed();
  return cut === '' ? `The service answered with HTTP status ${response.status}.` : toXmlText(cut);
}

function createErrorReply(
  stanza: Element,
  [type, condition]: readonly [string, string],
  text: string,
): Element | undefined {
  if (!mayReplyWithError(stanza)) return undefined;
  return xml(
    stanza.name,
    { ...swapAddresses(stanza), type: 'error', id: stanza.attrs.id },
    createErrorElement(type, condition, text),
  );
}

/** RFC 9110 §10.2.3: seconds or a date. */
function parseRetryAfter(response: HttpClientResponse, now: number): number | undefined {
  const value = response.header('retry-after') ?? '';
  if (/^\d{1,9}$/.test(value)) return now + Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : date;
}
