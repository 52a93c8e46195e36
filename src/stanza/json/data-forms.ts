import xml, { type Element } from '@xmpp/xml';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { toXmlText } from '../xml-text.ts';
import {
  addChild,
  appendText,
  attribute,
  type Field,
  type FieldTable,
  findChild,
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

export const DATA_FORM_NAMESPACE = 'jabber:x:data';
const LISTS = ['jid-multi', 'list-multi'];
const CHOICES = ['list-single', 'list-multi'];

const option: FieldTable = { label: attribute('label'), value: textChild('value') };

const describing: FieldTable = {
  var: attribute('var'),
  type: attribute('type'),
  label: attribute('label'),
  desc: textChild('desc'),
  required: flagChild('required'),
};

/** Text, or a list where the type or the number of values says so; lines of `text-multi` are one text. */
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

/** Only what may be chosen from has options. */
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

/** XEP-0004, with all that a form can say. */
export const dataFormField = objectChild('x', DATA_FORM_NAMESPACE, {
  ...heading,
  fields: always(objectList('field', undefined, { ...describing, value, options })),
});

/** The same with every field's values in a list, as mod_rest has it within `archive`. */
export const dataFormWithValuesField = objectChild('x', DATA_FORM_NAMESPACE, {
  ...heading,
  fields: objectList('field', undefined, {
    ...describing,
    values: textList('value'),
    value: { read: () => undefined, write: writeValues },
    options: objectList('option', undefined, option),
  }),
});

/** Answers to a form as `{var: value or [values]}`. Only written: what comes is read as `dataform`. */
export const formDataField: Field = {
  read: () => undefined,
  write: (element, given, key) =>
    element.append(createFilledForm(requireJsonObject(given, key), 'submit', key)),
};

/** The type of a field tells how its value is to be read again. */
export function createFilledForm(data: JsonObject, type: 'submit' | 'result', key: string): Element {
  const form = xml('x', { xmlns: DATA_FORM_NAMESPACE, type });
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

/** `{var: value}`: a list where the type says so or nothing does, null for no value. */
export function parseFilledForm(form: Element): JsonObject {
  const entries = findChildren(form, 'field').flatMap((field): [string, JsonValue][] => {
    const { var: name, type } = field.attrs;
    return name === undefined ? [] : [[name, readAnswer(field, type)]];
  });
  return Object.fromEntries(entries);
}

function readAnswer(field: Element, type: string | undefined): JsonValue {
  const found = findChildren(field, 'value').map((child) => child.getText());
  if (type === undefined || CHOICES.includes(type) || LISTS.includes(type)) return found;
  if (type === 'text-multi') return found.join('\n');
  if (type === 'boolean') return found[0] === '1' || found[0] === 'true';
  return found[0] ?? null;
}

function writeValues(field: Element, given: JsonValue, key: string): void {
  if (isJsonObject(given) || typeof given === 'boolean')
    throw invalidValue(key, 'must be text or a list of texts');
  for (const one of Array.isArray(given) ? given : linesOf(field, given)) {
    appendText(addChild(field, 'value'), requireJsonText(one, key));
  }
}

/** XEP-0004 §3.3: a value for each line. */
function linesOf(field: Element, given: JsonValue): readonly JsonValue[] {
  return field.attrs.type === 'text-multi' && typeof given === 'string' ? given.split('\n') : [given];
}

/** A list that is there even where it is empty. */
function always(field: Field): Field {
  return { ...field, read: (element) => field.read(element) ?? [] };
}

export function findDataForm(element: Element): Element | undefined {
  return findChild(element, 'x', DATA_FORM_NAMESPACE);
}
