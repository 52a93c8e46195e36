import type { Element } from '@xmpp/xml';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { DATA_FORM, DISCO_INFO, DISCO_ITEMS } from '../namespaces.ts';
import { createFilledForm, parseFilledForm } from './data-forms.ts';
import {
  addChild,
  attribute,
  type Field,
  type FieldTable,
  findChild,
  findChildren,
  isJsonObject,
  objectList,
  readFields,
  requireJsonList,
  requireJsonObject,
  requireJsonText,
  writeFields,
} from './fields.ts';

const identity: FieldTable = {
  category: attribute('category'),
  type: attribute('type'),
  name: attribute('name'),
};
const item: FieldTable = { jid: attribute('jid'), node: attribute('node'), name: attribute('name') };

/** disco#info of XEP-0030. A query is `true` or the node that it asks for; an answer is an object. */
export const discoInfoField: Field = {
  read(iq) {
    const query = findChild(iq, 'query', DISCO_INFO);
    if (query === undefined || query.getChildElements().length === 0)
      return query && (query.attrs.node ?? true);
    return {
      ...readFields({ node: attribute('node') }, query),
      identities: findChildren(query, 'identity').map((child) => readFields(identity, child)),
      features: findChildren(query, 'feature').flatMap(({ attrs }) => attrs.var ?? []),
      ...extensionsOf(query),
    };
  },
  write(iq, value, key) {
    const query = addChild(iq, 'query', DISCO_INFO);
    if (!isJsonObject(value)) return writeNode(query, value, key);
    writeFields(
      { node: attribute('node'), identities: objectList('identity', undefined, identity) },
      query,
      value,
      `${key}.`,
    );
    for (const feature of requireJsonList(value.features ?? [], `${key}.features`)) {
      addChild(query, 'feature').attrs.var = requireJsonText(feature, `${key}.features`);
    }
    writeExtensions(
      query,
      requireJsonObject(value.extensions ?? {}, `${key}.extensions`),
      `${key}.extensions`,
    );
  },
};

/** disco#items of XEP-0030. */
export const discoItemsField: Field = {
  read(iq) {
    const query = findChild(iq, 'query', DISCO_ITEMS);
    if (query === undefined || query.getChildElements().length === 0)
      return query && (query.attrs.node ?? true);
    return findChildren(query, 'item').map((child) => readFields(item, child));
  },
  write(iq, value, key) {
    const query = addChild(iq, 'query', DISCO_ITEMS);
    if (isJsonObject(value)) return writeFields({ node: attribute('node') }, query, value, `${key}.`);
    if (!Array.isArray(value)) return writeNode(query, value, key);
    const entries = value.map((entry) => (typeof entry === 'string' ? { jid: entry } : entry));
    objectList('item', undefined, item).write(query, entries, key);
  },
};

function writeNode(query: Element, value: JsonValue, key: string): void {
  if (value !== true && value !== '') query.attrs.node = requireJsonText(value, key);
}

/** Extended information (XEP-0128) by the FORM_TYPE of each form. */
function extensionsOf(query: Element): { extensions?: JsonObject } {
  const forms = findChildren(query, 'x', DATA_FORM).flatMap((form): [string, JsonValue][] => {
    const { FORM_TYPE: formType, ...data } = parseFilledForm(form);
    const name = Array.isArray(formType) ? formType[0] : formType;
    return typeof name === 'string' ? [[name, data]] : [];
  });
  return forms.length === 0 ? {} : { extensions: Object.fromEntries(forms) };
}

function writeExtensions(query: Element, extensions: JsonObject, key: string): void {
  for (const [name, data] of Object.entries(extensions)) {
    query.append(
      createFilledForm({ FORM_TYPE: name, ...requireJsonObject(data, `${key}.${name}`) }, 'result', key),
    );
  }
}
