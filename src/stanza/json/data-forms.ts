import xml, { type Element } from '@xmpp/xml';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { DATA_FORM } from '../namespaces.ts';
import { toXmlText } from '../xml-text.ts';
import {
  addChild,
  appendText,
  attribute,
  type Field,
  type FieldTable,
  findChildren,
  flagChild,
  invalidValue,
  isJsonObject,
  objectChild,
  objectList,
  requireJsonObject,
  requireJsonText,
  textChild,
  textList,
} from './fields.ts';

const LISTS = ['jid-multi', 'list-multi'];
const CHOICES = ['list-single', 'list-multi'];

const option: FieldTable = { label: attribute('label'), value: textChild('value') };

const description: FieldTable = {
  var: attribute('var'),
  type: attribute('type'),
  label: attribute('label'),
  desc: textChild('desc'),
  required: flagChild('required'),
};

/** A text, or a list if the type or the number of values requires it. The lines of `text-multi` are one text. */
const value: Field = {
  read(field) {
    const found = findChildren(field, 'value').map((child) => child.getText());
    const { type = '' } = field.attrs;
    if (LISTS.includes(type)) return found;
    if (type === 'text-multi') return found.join('\n');
    return type === '' && found.length > 1 ? found : found[0];
  },
  write: writeValues,
};

/** The choices of a field. Fields of a list type have this key even if there are no choices. */
const options: Field = {
  ...objectList('option', undefined, option),
  read(field) {
    const { type = '' } = field.attrs;
    const found = objectList('option', undefined, option).read(field);
    return found ?? (CHOICES.includes(type) ? [] : undefined);
  },
};

const heading: FieldTable = {
  type: attribute('type'),
  title: textChild('title'),
  instructions: textChild('instructions'),
};

/** A complete data form (XEP-0004). */
export const dataFormField = objectChild('x', DATA_FORM, {
  ...heading,
  fields: alwaysPresent(objectList('field', undefined, { ...description, value, options })),
});

/** A data form with all values of a field in a list, as in the key `archive` of Prosody's mod_rest. */
export const dataFormWithValuesField = objectChild('x', DATA_FORM, {
  ...heading,
  fields: objectList('field', undefined, {
    ...description,
    values: textList('value'),
    value: { read: () => undefined, write: writeValues },
    options: objectList('option', undefined, option),
  }),
});

/** A submitted form as `{var: value or [values]}`. Write-only: forms are read as `dataform`. */
export const formDataField: Field = {
  read: () => undefined,
  write: (element, given, key) =>
    element.append(createFilledForm(requireJsonObject(given, key), 'submit', key)),
};

/** Creates a form from `{var: value}`. Sets the type of each field, so that the reader can restore its value. */
export function createFilledForm(data: JsonObject, type: 'submit' | 'result', key: string): Element {
  const form = xml('x', { xmlns: DATA_FORM, type });
  for (const [name, given] of Object.entries(data)) {
    const field = addChild(form, 'field');
    field.attrs.var = toXmlText(name);
    field.attrs.type = name === 'FORM_TYPE' ? 'hidden' : fieldType(given);
    if (typeof given === 'boolean') appendText(addChild(field, 'value'), given ? '1' : '0');
    else if (given !== null) writeValues(field, given, `${key}.${name}`);
  }
  return form;
}

function fieldType(given: JsonValue): string {
  if (Array.isArray(given)) return 'list-multi';
  if (typeof given === 'boolean') return 'boolean';
  return typeof given === 'string' && given.includes('\n') ? 'text-multi' : 'text-single';
}

/** Returns `{var: value}`. A value is a list for list types and for fields without a type, and null if empty. */
export function parseFilledForm(form: Element): JsonObject {
  const entries = findChildren(form, 'field').flatMap((field): [string, JsonValue][] => {
    const { var: name, type } = field.attrs;
    return name === undefined ? [] : [[name, parseFieldValue(field, type)]];
  });
  return Object.fromEntries(entries);
}

function parseFieldValue(field: Element, type: string | undefined): JsonValue {
  const found = findChildren(field, 'value').map((child) => child.getText());
  if (type === undefined || CHOICES.includes(type) || LISTS.includes(type)) return found;
  if (type === 'text-multi') return found.join('\n');
  if (type === 'boolean') return found[0] === '1' || found[0] === 'true';
  return found[0] ?? null;
}

function writeValues(field: Element, given: JsonValue, key: string): void {
  if (isJsonObject(given) || typeof given === 'boolean')
    throw invalidValue(key, 'must be text or a list of texts');
  for (const value of Array.isArray(given) ? given : splitLines(field, given)) {
    appendText(addChild(field, 'value'), requireJsonText(value, key));
  }
}

/** One value per line (XEP-0004 §3.3). */
function splitLines(field: Element, given: JsonValue): readonly JsonValue[] {
  return field.attrs.type === 'text-multi' && typeof given === 'string' ? given.split('\n') : [given];
}

/** A list that is present even if it is empty. */
function alwaysPresent(field: Field): Field {
  return { ...field, read: (element) => field.read(element) ?? [] };
}
