import xml, { type Element } from '@xmpp/xml';
import { fitForXml } from '../characters.ts';
import {
  addChild,
  appendText,
  attribute,
  childOf,
  childrenOf,
  type Field,
  type Fields,
  flag,
  isObject,
  type Json,
  type JsonObject,
  object,
  objectOf,
  objects,
  text,
  textOf,
  texts,
  wrong,
} from './fields.ts';

export const DATA_FORM = 'jabber:x:data';
const LISTS = ['jid-multi', 'list-multi'];
const CHOICES = ['list-single', 'list-multi'];

const option: Fields = { label: attribute('label'), value: text('value') };

const describing: Fields = {
  var: attribute('var'),
  type: attribute('type'),
  label: attribute('label'),
  desc: text('desc'),
  required: flag('required'),
};

/** Text, or a list where the type or the number of values says so; lines of `text-multi` are one text. */
const value: Field = {
  read(field) {
    const found = childrenOf(field, 'value').map((child) => child.getText());
    const { type = '' } = field.attrs;
    if (LISTS.includes(type)) return found;
    if (type === 'text-multi') return found.join('\n');
    return type === '' && found.length > 1 ? found : found[0];
  },
  write: writeValues,
};

/** Only what may be chosen from has options. */
const options: Field = {
  ...objects('option', undefined, option),
  read(field) {
    const { type = '' } = field.attrs;
    const found = objects('option', undefined, option).read(field);
    return found ?? (CHOICES.includes(type) ? [] : undefined);
  },
};

const heading: Fields = {
  type: attribute('type'),
  title: text('title'),
  instructions: text('instructions'),
};

/** XEP-0004, with all that a form can say. */
export const dataform = object('x', DATA_FORM, {
  ...heading,
  fields: always(objects('field', undefined, { ...describing, value, options })),
});

/** The same with every field's values in a list, as mod_rest has it within `archive`. */
export const dataformWithValues = object('x', DATA_FORM, {
  ...heading,
  fields: objects('field', undefined, {
    ...describing,
    values: texts('value'),
    value: { read: () => undefined, write: writeValues },
    options: objects('option', undefined, option),
  }),
});

/** Answers to a form as `{var: value or [values]}`. Only written: what comes is read as `dataform`. */
export const formdata: Field = {
  read: () => undefined,
  write: (element, given, key) => element.append(filledForm(objectOf(given, key), 'submit', key)),
};

/** The type of a field tells how its value is to be read again. */
export function filledForm(data: JsonObject, type: 'submit' | 'result', key: string): Element {
  const form = xml('x', { xmlns: DATA_FORM, type });
  for (const [name, given] of Object.entries(data)) {
    const field = addChild(form, 'field');
    field.attrs.var = fitForXml(name);
    field.attrs.type = name === 'FORM_TYPE' ? 'hidden' : fieldType(given);
    if (typeof given === 'boolean') appendText(addChild(field, 'value'), given ? '1' : '0');
    else if (given !== null) writeValues(field, given, `${key}.${name}`);
  }
  return form;
}

function fieldType(given: Json): string {
  if (Array.isArray(given)) return 'list-multi';
  if (typeof given === 'boolean') return 'boolean';
  return typeof given === 'string' && given.includes('\n') ? 'text-multi' : 'text-single';
}

/** `{var: value}`: a list where the type says so or nothing does, null for no value. */
export function readFilledForm(form: Element): JsonObject {
  const entries = childrenOf(form, 'field').flatMap((field): [string, Json][] => {
    const { var: name, type } = field.attrs;
    return name === undefined ? [] : [[name, readAnswer(field, type)]];
  });
  return Object.fromEntries(entries);
}

function readAnswer(field: Element, type: string | undefined): Json {
  const found = childrenOf(field, 'value').map((child) => child.getText());
  if (type === undefined || CHOICES.includes(type) || LISTS.includes(type)) return found;
  if (type === 'text-multi') return found.join('\n');
  if (type === 'boolean') return found[0] === '1' || found[0] === 'true';
  return found[0] ?? null;
}

function writeValues(field: Element, given: Json, key: string): void {
  if (isObject(given) || typeof given === 'boolean') throw wrong(key, 'must be text or a list of texts');
  for (const one of Array.isArray(given) ? given : linesOf(field, given)) {
    appendText(addChild(field, 'value'), textOf(one, key));
  }
}

/** XEP-0004 §3.3: a value for each line. */
function linesOf(field: Element, given: Json): readonly Json[] {
  return field.attrs.type === 'text-multi' && typeof given === 'string' ? given.split('\n') : [given];
}

/** A list that is there even where it is empty. */
function always(field: Field): Field {
  return { ...field, read: (element) => field.read(element) ?? [] };
}

export function formIn(element: Element): Element | undefined {
  return childOf(element, 'x', DATA_FORM);
}
