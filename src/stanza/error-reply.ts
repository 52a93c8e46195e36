import xml, { type Element } from '@xmpp/xml';
import { formatDateTime } from '../base/clock.ts';
import { errorRow, type Refusal } from '../base/errors.ts';
import { LEGACY_UPLOAD, STANZA_ERRORS, UPLOAD } from './namespaces.ts';

/** Only these two namespaces know `file-too-large` and `retry`. */
function uploadNamespace(request: Element | undefined): string {
  return request?.getNS() === LEGACY_UPLOAD ? LEGACY_UPLOAD : UPLOAD;
}

/**
 * The `<error/>` of a refusal (XEP-0363 §5, RFC 6120 §8.3), always with a text. What is particular to uploads
 * is in the namespace of the request that it answers.
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

/** Answers a stanza with an error; of an iq what it asked is echoed, as in the examples of the XEP. */
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
