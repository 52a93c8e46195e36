import xml, { type Element } from '@xmpp/xml';
import { formatDateTime } from '../base/clock.ts';
import { errorRow, type Refusal } from '../base/errors.ts';
import { LEGACY_UPLOAD, STANZA_ERRORS, UPLOAD } from './namespaces.ts';

/** `file-too-large` and `retry` are defined in these two namespaces only. */
function uploadNamespace(request: Element | undefined): string {
  return request?.getNS() === LEGACY_UPLOAD ? LEGACY_UPLOAD : UPLOAD;
}

/**
 * Returns the `<error/>` of a refusal (RFC 6120 §8.3), always with a text. Details of uploads (XEP-0363 §5) use the
 * namespace of the request.
 */
function errorElement(refusal: Refusal, request: Element | undefined): Element {
  const { stanza, element } = errorRow(refusal.code);
  const [type, condition] = stanza ?? (['cancel', 'undefined-condition'] as const);
  const detail = element && detailElement(element, refusal, uploadNamespace(request));
  return xml(
    'error',
    { type },
    xml(condition, STANZA_ERRORS),
    xml('text', { xmlns: STANZA_ERRORS, 'xml:lang': 'en' }, refusal.message),
    ...(detail ? [detail] : []),
  );
}

function detailElement(
  name: 'file-too-large' | 'retry',
  { maxFileSize, retryAt }: Refusal,
  xmlns: string,
): Element | undefined {
  if (name === 'file-too-large') {
    return xml(
      name,
      xmlns,
      ...(maxFileSize === undefined ? [] : [xml('max-file-size', {}, String(maxFileSize))]),
    );
  }
  return retryAt === undefined ? undefined : xml(name, { xmlns, stamp: formatDateTime(retryAt) });
}

/** Returns the error reply to a stanza. The reply to an iq repeats its payload, as in the examples of XEP-0363 §5. */
export function errorReply(stanza: Element, refusal: Refusal): Element {
  const { from, to, id } = stanza.attrs;
  const [request] = stanza.name === 'iq' ? stanza.getChildElements() : [];
  const error = errorElement(refusal, request);
  return xml(
    stanza.name,
    { type: 'error', from: to, to: from, id },
    ...(request ? [request, error] : [error]),
  );
}

/**
 * Returns true for a chat or normal message with a body. Its sender expects that somebody reads it, so it is answered
 * with an error if it is not delivered.
 */
export function isPersonalMessage(stanza: Element): boolean {
  const { type = 'normal' } = stanza.attrs;
  if (stanza.name !== 'message' || (type !== 'chat' && type !== 'normal')) return false;
  return stanza.getChild('body') !== undefined;
}
