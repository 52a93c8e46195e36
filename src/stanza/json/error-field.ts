import type { Element } from '@xmpp/xml';
import type { JsonValue } from '../../base/json.ts';
import { STANZA_ERRORS } from '../namespaces.ts';
import { addChild, appendText, type Field, findChild, isJsonObject, requireJsonText } from './fields.ts';

/** RFC 6120 §8.3.3. */
const CONDITIONS = [
  'bad-request',
  'conflict',
  'feature-not-implemented',
  'forbidden',
  'gone',
  'internal-server-error',
  'item-not-found',
  'jid-malformed',
  'not-acceptable',
  'not-allowed',
  'not-authorized',
  'payment-required',
  'policy-violation',
  'recipient-unavailable',
  'redirect',
  'registration-required',
  'remote-server-not-found',
  'remote-server-timeout',
  'resource-constraint',
  'service-unavailable',
  'subscription-required',
  'undefined-condition',
  'unexpected-request',
];
const TYPES = ['auth', 'cancel', 'continue', 'modify', 'wait'];

/** The error of a stanza of type `error` (RFC 6120 §8.3). */
export const errorField: Field = {
  read(stanza) {
    const element = stanza.attrs.type === 'error' ? findChild(stanza, 'error') : undefined;
    if (element === undefined) return undefined;
    const text = findChild(element, 'text', STANZA_ERRORS)?.getText();
    const { type, by } = element.attrs;
    return {
      ...(type !== undefined && { type }),
      condition: findCondition(element),
      ...(text !== undefined && { text }),
      ...(by !== undefined && { by }),
    };
  },
  write(stanza, value, key) {
    const { type, condition, text, by } = isJsonObject(value) ? value : { text: value };
    const element = addChild(stanza, 'error');
    element.attrs.type = oneOf(TYPES, type) ?? 'cancel';
    if (by !== undefined && by !== null) element.attrs.by = requireJsonText(by, `${key}.by`);
    addChild(element, oneOf(CONDITIONS, condition) ?? 'undefined-condition', STANZA_ERRORS);
    if (text !== undefined && text !== null && text !== true)
      appendText(addChild(element, 'text', STANZA_ERRORS), requireJsonText(text, `${key}.text`));
  },
};

function findCondition(element: Element): string {
  const names = element
    .getChildElements()
    .filter((child) => child.getNS() === STANZA_ERRORS)
    .map((child) => child.getName());
  return names.find((name) => name !== 'text') ?? 'undefined-condition';
}

function oneOf(names: readonly string[], given: JsonValue | undefined): string | undefined {
  return names.find((name) => name === given);
}
