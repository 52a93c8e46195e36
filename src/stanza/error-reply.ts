import xml, { type Element } from '@xmpp/xml';
import { formatDateTime } from '../base/clock.ts';
import { type CommandErrorElement, errorRow, type Refusal, type UploadErrorElement } from '../base/errors.ts';
import { COMMANDS, LEGACY_UPLOAD, STANZA_ERRORS, UPLOAD } from './namespaces.ts';
import type { XmlBudgetError } from './xml-reader.ts';

/** Returns one of the two namespaces that define `file-too-large` and `retry`. */
function uploadNamespace(request: Element | undefined): string {
  return request?.getNS() === LEGACY_UPLOAD ? LEGACY_UPLOAD : UPLOAD;
}

/** Creates an `<error/>` with a text in English (RFC 6120 §8.3) and application-specific details. */
export function createErrorElement(
  type: string,
  condition: string,
  text: string,
  ...details: readonly Element[]
): Element {
  return xml(
    'error',
    { type },
    xml(condition, STANZA_ERRORS),
    xml('text', { xmlns: STANZA_ERRORS, 'xml:lang': 'en' }, text),
    ...details,
  );
}

/** Creates the `<error/>` of a refusal. Details of uploads (XEP-0363 §5) are in the namespace of the request. */
function refusalElement(refusal: Refusal, request: Element | undefined): Element {
  const { stanza, element } = errorRow(refusal.code);
  const [type, condition] = stanza ?? (['cancel', 'undefined-condition'] as const);
  const detail = element && detailElement(element, refusal, request);
  return createErrorElement(type, condition, refusal.message, ...(detail ? [detail] : []));
}

function detailElement(
  name: UploadErrorElement | CommandErrorElement,
  { maxFileSize, retryAt }: Refusal,
  request: Element | undefined,
): Element | undefined {
  if (name !== 'file-too-large' && name !== 'retry') return xml(name, COMMANDS);
  const xmlns = uploadNamespace(request);
  if (name === 'file-too-large') {
    return xml(
      name,
      xmlns,
      ...(maxFileSize === undefined ? [] : [xml('max-file-size', {}, String(maxFileSize))]),
    );
  }
  return retryAt === undefined ? undefined : xml(name, { xmlns, stamp: formatDateTime(retryAt) });
}

/** Returns the error reply to a stanza. The reply to an iq includes its request, as in the examples of XEP-0363. */
export function errorReply(stanza: Element, refusal: Refusal): Element {
  const { from, to, id } = stanza.attrs;
  const [request] = stanza.name === 'iq' ? stanza.getChildElements() : [];
  const error = refusalElement(refusal, request);
  return xml(
    stanza.name,
    { type: 'error', from: to, to: from, id },
    ...(request ? [request, error] : [error]),
  );
}

/**
 * Returns true for a chat or normal message with a body. Its sender expects that a person reads it, and gets an error if it is
 * not delivered.
 */
export function isPersonalMessage(stanza: Element): boolean {
  const { type = 'normal' } = stanza.attrs;
  if (stanza.name !== 'message' || (type !== 'chat' && type !== 'normal')) return false;
  return stanza.getChild('body') !== undefined;
}

/**
 * Returns the stanza to handle instead of one that was skipped because it exceeds its budget. An iq request stays without its
 * children, so that its sender gets an error. An iq result becomes an error for the request that waits for it. Returns undefined
 * for messages and presence. `stanza` has no children.
 */
export function replaceSkippedStanza(stanza: Element, error: XmlBudgetError): Element | undefined {
  if (stanza.name !== 'iq') return undefined;
  if (stanza.attrs.type === 'result') {
    stanza.attrs.type = 'error';
    stanza.append(createErrorElement('modify', 'policy-violation', error.message));
  }
  return stanza;
}
