import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import { stanzaFromJson } from '../../stanza/json/mapping.ts';
import { parseStanza } from '../../stanza/parse-stanza.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import type { HttpClientResponse } from './http-client.ts';

const STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
/** XEP-0184. */
const RECEIPTS = 'urn:xmpp:receipts';

/** What an answer means for the stanza that it answers. */
export interface CallbackResult {
  /** May it be tried again? `reply` is then for the case that it is not. */
  readonly mayRetry: boolean;
  /** The receiver's own wish, milliseconds since 1970. */
  readonly retryAt?: number | undefined;
  /** What goes back; undefined = nothing. */
  readonly reply: Element | undefined;
}

/** Conditions and types by status: XEP-0086 with what RFC 6120 §8.3.3 has made of it since. */
const errors: Readonly<Record<number, readonly [type: string, condition: string]>> = {
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

/** Another time may do better: every fault of the receiver but "I never will". */
const AGAIN = new Set([408, 425, 429]);
const NEVER = new Set([501, 505]);
const isAgain = (status: number) => AGAIN.has(status) || (status >= 500 && !NEVER.has(status));

const LONGEST_TEXT = 500;

/** What goes back to the sender of `stanza`, and whether to ask again first. */
export function interpretResponse(stanza: Element, answer: HttpClientResponse, now: number): CallbackResult {
  const { status } = answer;
  if (status === 202 || status === 204) return final(acknowledgement(stanza));
  const reply = replyIn(stanza, answer);
  if (reply !== undefined) return final(mayAnswer(stanza) ? reply : undefined);
  if (status >= 200 && status < 300) return final(acknowledgement(stanza));
  const error = errorReply(stanza, errorOf(status), textOf(answer));
  if (!isAgain(status)) return final(error);
  return { mayRetry: true, retryAt: retryAfter(answer, now), reply: error };
}

/** No answer came. */
export function unreachableResult(stanza: Element): CallbackResult {
  const reply = errorReply(stanza, ['wait', 'recipient-unavailable'], 'Nobody takes it there now.');
  return { mayRetry: true, reply };
}

const final = (reply: Element | undefined): CallbackResult => ({ mayRetry: false, reply });

/** Answers and errors are never answered (RFC 6120 §8.3.1). */
const mayAnswer = ({ attrs: { type } }: Element) => type !== 'error' && type !== 'result';

/** Rooms drop members who answer with errors, and nobody waits for those of headlines (RFC 6121 §8.5.2.1.1). */
const UNCOMPLAINED = new Set(['message groupchat', 'message headline', 'presence unavailable']);
const mayComplain = (stanza: Element) =>
  mayAnswer(stanza) && !UNCOMPLAINED.has(`${stanza.name} ${stanza.attrs.type}`);

/** Back to the sender, with nothing else of what it sent. */
const back = ({ attrs: { from, to } }: Element) => ({ from: to, to: from });

/** All is well: an iq always has an answer, and a message the receipt it asked for (XEP-0184 §5.4). */
function acknowledgement(stanza: Element): Element | undefined {
  const { id, type } = stanza.attrs;
  if (!mayAnswer(stanza)) return undefined;
  if (stanza.name === 'iq') return xml('iq', { ...back(stanza), type: 'result', id });
  const asks = stanza.getChild('request', RECEIPTS) !== undefined && id !== undefined;
  if (stanza.name !== 'message' || type === 'groupchat' || !asks) return undefined;
  const received = xml('received', { xmlns: RECEIPTS, id });
  return xml('message', { ...back(stanza), type, id: randomId() }, received);
}

/** A stanza of the same kind in the answer's body, addressed to the sender. */
function replyIn(stanza: Element, answer: HttpClientResponse): Element | undefined {
  const given = bodyOf(stanza, answer);
  if (given === undefined || given.name !== stanza.name) return undefined;
  const { type, id, 'xml:lang': lang } = given.attrs;
  const attributes = { ...back(stanza), ...(lang !== undefined && { 'xml:lang': lang }) };
  const children = given.children;
  if (type === 'error') {
    return xml(stanza.name, { ...attributes, type, id: stanza.attrs.id }, ...children);
  }
  if (stanza.name === 'iq')
    return xml('iq', { ...attributes, type: 'result', id: stanza.attrs.id }, ...children);
  // Nothing in it is no message; a presence may be all in its type.
  if (stanza.name === 'message' && given.getChildElements().length === 0) return undefined;
  const to = type === 'groupchat' ? parseBareJid(attributes.to ?? '') : attributes.to;
  return xml(stanza.name, { ...attributes, to, type, id: id ?? randomId() }, ...children);
}

/** Texts and bare JSON count as replies only where all went well: errors have such bodies too, and mean none. */
function bodyOf(stanza: Element, answer: HttpClientResponse): Element | undefined {
  const { body, status } = answer;
  const wentWell = status >= 200 && status < 300;
  if (body === null || body.trim() === '') return undefined;
  try {
    switch (mediaTypeOf(answer)) {
      case 'application/xmpp+xml':
        return parseStanza(body);
      case 'application/json': {
        const object = JSON.parse(body);
        return wentWell || typeof object?.kind === 'string' ? stanzaFromJson(object) : undefined;
      }
      case 'application/x-www-form-urlencoded':
        return wentWell ? stanzaFromJson(Object.fromEntries(new URLSearchParams(body))) : undefined;
      case 'text/plain':
        if (!wentWell || stanza.name !== 'message') return undefined;
        return xml('message', { type: 'chat' }, xml('body', {}, toXmlText(body)));
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const mediaTypeOf = (answer: HttpClientResponse) =>
  answer.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';

function errorOf(status: number): readonly [string, string] {
  const known = errors[status];
  if (known) return known;
  if (status >= 500) return ['cancel', 'internal-server-error'];
  return status >= 400 ? ['modify', 'bad-request'] : ['cancel', 'undefined-condition'];
}

/** Pages that proxies make of errors are for nobody's eyes here. */
function textOf(answer: HttpClientResponse): string {
  const text = mediaTypeOf(answer) === 'text/plain' ? (answer.body ?? '').trim() : '';
  const cut = text.slice(0, LONGEST_TEXT).toWellFormed();
  return cut === '' ? `It was answered ${answer.status} there.` : toXmlText(cut);
}

function errorReply(
  stanza: Element,
  [type, condition]: readonly [string, string],
  text: string,
): Element | undefined {
  if (!mayComplain(stanza)) return undefined;
  return xml(
    stanza.name,
    { ...back(stanza), type: 'error', id: stanza.attrs.id },
    xml(
      'error',
      { type },
      xml(condition, STANZA_ERRORS),
      xml('text', { xmlns: STANZA_ERRORS, 'xml:lang': 'en' }, text),
    ),
  );
}

/** RFC 9110 §10.2.3: seconds or a date. */
function retryAfter(answer: HttpClientResponse, now: number): number | undefined {
  const value = answer.header('retry-after') ?? '';
  if (/^\d{1,9}$/.test(value)) return now + Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : date;
}
