import type { JsonValue } from '../../base/json.ts';
import { toXmlText } from '../xml-text.ts';
import {
  addChild,
  appendText,
  attribute,
  type Field,
  findChild,
  invalidValue,
  isTooDeep,
  objectChild,
} from './fields.ts';

const JSON_CONTAINER = 'urn:xmpp:json:0';

/**
 * XEP-0335 within XEP-0432; some write the JSON right into the payload. What is no JSON, or nested
 * without end, is left out.
 */
const data: Field = {
  read(payload) {
    const text = (findChild(payload, 'json', JSON_CONTAINER) ?? payload).getText();
    try {
      const value = JSON.parse(text) as JsonValue;
      return isTooDeep(value) ? undefined : value;
    } catch {
      return undefined;
    }
  },
  write(payload, value) {
    appendText(addChild(payload, 'json', JSON_CONTAINER), toXmlText(JSON.stringify(value)));
  },
  acceptsNull: true,
};

const payload = objectChild('payload', 'urn:xmpp:json-msg:0', { datatype: attribute('datatype'), data });

/** Any JSON for a program at the other end (XEP-0432). */
export const jsonPayloadField: Field = {
  read: payload.read,
  write(element, value, key) {
    payload.write(element, value, key);
    if (findChild(element, 'payload', 'urn:xmpp:json-msg:0')?.attrs.datatype === undefined)
      throw invalidValue(`${key}.datatype`, 'is missing');
  },
};
