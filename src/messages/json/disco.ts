import type { Element } from '@xmpp/xml';
import {
  addChild,
  attribute,
  childOf,
  childrenOf,
  type Field,
  type Fields,
  isObject,
  type Json,
  type JsonObject,
  listOf,
  objectOf,
  objects,
  readFields,
  textOf,
  writeFields,
} from './fields.ts';
import { DATA_FORM, filledForm, readFilledForm } from './forms.ts';

const INFO = 'http://jabber.org/protocol/disco#info';
const ITEMS = 'http://jabber.org/protocol/disco#items';

const identity: Fields = {
  category: attribute('category'),
  type: attribute('type'),
  name: attribute('name'),
};
const item: Fields = { jid: attribute('jid'), node: attribute('node'), name: attribute('name') };

/** XEP-0030: a question is `true` or the node it asks for, an answer an object. */
export const disco: Field = {
  read(iq) {
    const query = childOf(iq, 'query', INFO);
    if (query === undefined || query.getChildElements().length === 0)
      return query && (query.attrs.node ?? true);
    return {
      ...readFields({ node: attribute('node') }, query),
      identities: childrenOf(query, 'identity').map((child) => readFields(identity, child)),
      features: childrenOf(query, 'feature').flatMap(({ attrs }) => attrs.var ?? []),
      ...extensionsOf(query),
    };
  },
  write(iq, value, key) {
    const query = addChild(iq, 'query', INFO);
    if (!isObject(value)) return writeNode(query, value, key);
    writeFields(
      { node: attribute('node'), identities: objects('identity', undefined, identity) },
      query,
      value,
      `${key}.`,
    );
    for (const feature of listOf(value.features ?? [], `${key}.features`)) {
      addChild(query, 'feature').attrs.var = textOf(feature, `${key}.features`);
    }
    writeExtensions(query, objectOf(value.extensions ?? {}, `${key}.extensions`), `${key}.extensions`);
  },
};

/** The same for what there is at an entity. */
export const items: Field = {
  read(iq) {
    const query = childOf(iq, 'query', ITEMS);
    if (query === undefined || query.getChildElements().length === 0)
      return query && (query.attrs.node ?? true);
    return childrenOf(query, 'item').map((child) => readFields(item, child));
  },
  write(iq, value, key) {
    const query = addChild(iq, 'query', ITEMS);
    if (isObject(value)) return writeFields({ node: attribute('node') }, query, value, `${key}.`);
    if (!Array.isArray(value)) return writeNode(query, value, key);
    const whole = value.map((one) => (typeof one === 'string' ? { jid: one } : one));
    objects('item', undefined, item).write(query, whole, key);
  },
};

function writeNode(query: Element, value: Json, key: string): void {
  if (value !== true && value !== '') query.attrs.node = textOf(value, key);
}

/** XEP-0128, by the name that each form gives itself. */
function extensionsOf(query: Element): { extensions?: JsonObject } {
  const forms = childrenOf(query, 'x', DATA_FORM).flatMap((form): [string, Json][] => {
    const { FORM_TYPE: named, ...data } = readFilledForm(form);
    const name = Array.isArray(named) ? named[0] : named;
    return typeof name === 'string' ? [[name, data]] : [];
  });
  return forms.length === 0 ? {} : { extensions: Object.fromEntries(forms) };
}

function writeExtensions(query: Element, extensions: JsonObject, key: string): void {
  for (const [name, data] of Object.entries(extensions)) {
    query.append(filledForm({ FORM_TYPE: name, ...objectOf(data, `${key}.${name}`) }, 'result', key));
  }
}
