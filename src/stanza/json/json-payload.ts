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
 * A JSON container (XEP-0335) inside a JSON message (XEP-0432). Some clients write the JSON into the payload itself.
 * Invalid and too deeply nested JSON is ignored.
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

/** Any JSON value for a program that receives the message (XEP-0432). */
export const jsonPayloadField: Field = {
  read: payload.read,
  write(element, value, key) {
    payload.write(element, value, key);
    if (findChild(element, 'payload', 'urn:xmpp:json-msg:0')?.attrs.datatype === undefined)
      throw invalidValue(`${key}.datatype`, 'is missing');
  },
};
