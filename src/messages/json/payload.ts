import { fitForXml } from '../characters.ts';
import {
  addChild,
  appendText,
  attribute,
  childOf,
  type Field,
  isDeep,
  type Json,
  object,
  wrong,
} from './fields.ts';

const JSON_CONTAINER = 'urn:xmpp:json:0';

/**
 * XEP-0335 within XEP-0432; some write the JSON right into the payload. What is no JSON, or nested
 * without end, is left out.
 */
const data: Field = {
  read(payload) {
    const text = (childOf(payload, 'json', JSON_CONTAINER) ?? payload).getText();
    try {
      const value = JSON.parse(text) as Json;
      return isDeep(value) ? undefined : value;
    } catch {
      return undefined;
    }
  },
  write(payload, value) {
    appendText(addChild(payload, 'json', JSON_CONTAINER), fitForXml(JSON.stringify(value)));
  },
  takesNull: true,
};

const payload = object('payload', 'urn:xmpp:json-msg:0', { datatype: attribute('datatype'), data });

/** Any JSON for a program at the other end (XEP-0432). */
export const jsonPayload: Field = {
  read: payload.read,
  write(element, value, key) {
    payload.write(element, value, key);
    if (childOf(element, 'payload', 'urn:xmpp:json-msg:0')?.attrs.datatype === undefined)
      throw wrong(`${key}.datatype`, 'is missing');
  },
};
