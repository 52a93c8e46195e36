import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import type { JsonObject, JsonValue } from '../../base/json.ts';
import { normalizedNamespace } from '../canonical.ts';
import { MAX_STANZA_DEPTH } from '../xml-reader.ts';
import { toXmlText } from '../xml-text.ts';

/** Maps one key of a JSON object to a part of an XML element. */
export interface Field {
  /** Returns undefined if the element does not contain the part. */
  read(element: Element): JsonValue | undefined;
  /** Adds the value to the element. `key` names the value in the refusal (`bad_request`) if it is invalid. */
  write(element: Element, value: JsonValue, key: string): void;
  /** Set if `null` is a value. All other fields treat `null` as absent. */
  readonly acceptsNull?: true;
}

export type FieldTable = Readonly<Record<string, Field>>;

/** A table, or a function for a table that refers to itself, such as that of a forwarded message. */
type LazyFieldTable = FieldTable | (() => FieldTable);

/** Returns an object with a key for each part that the element contains. */
export function readFields(fields: FieldTable, element: Element): JsonObject {
  const entries = Object.entries(fields).flatMap(([key, field]): [string, JsonValue][] => {
    const value = field.read(element);
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(entries);
}

/** Writes the keys of an object to an element. Ignores unknown keys, and `null` unless the field accepts it. */
export function writeFields(fields: FieldTable, element: Element, object: JsonObject, path = ''): void {
  for (const [key, field] of Object.entries(fields)) {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    if (value !== undefined && (value !== null || field.acceptsNull)) field.write(element, value, path + key);
  }
}

/** Converts a single JSON value to text and back. */
interface Scalar {
  read(text: string): JsonValue | undefined;
  /** Returns undefined if the value has another type. */
  write(value: JsonValue): string | undefined;
  readonly kind: string;
}

const anyText: Scalar = {
  read: (text) => text,
  write: (value) => (typeof value === 'string' || typeof value === 'number' ? String(value) : undefined),
  kind: 'text',
};

const wholeNumber: Scalar = {
  read: (text) => (/^\s*[+-]?\d{1,15}\s*$/.test(text) ? Number(text) : undefined),
  write(value) {
    const number = typeof value === 'string' ? wholeNumber.read(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) ? String(number) : undefined;
  },
  kind: 'a whole number',
};

const anyNumber: Scalar = {
  read: (text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined),
  write(value) {
    const number = typeof value === 'string' ? anyNumber.read(value) : value;
    return typeof number === 'number' ? String(number) : undefined;
  },
  kind: 'a number',
};

const yesOrNo: Scalar = {
  read: (text) => text !== 'false' && text !== '0',
  write(value) {
    if (value === true || value === '1' || value === 'true') return 'true';
    return value === false || value === '0' || value === 'false' ? 'false' : undefined;
  },
  kind: 'true or false',
};

export const SCALARS = { anyText, wholeNumber, anyNumber, yesOrNo } as const;

function scalarText(scalar: Scalar, value: JsonValue, key: string): string {
  const text = scalar.write(value);
  if (text === undefined) throw invalidValue(key, `must be ${scalar.kind}`);
  return toXmlText(text);
}

export function attribute(name: string, scalar: Scalar = anyText): Field {
  return {
    read(element) {
      const text = element.attrs[name];
      return text === undefined ? undefined : scalar.read(text);
    },
    write(element, value, key) {
      element.attrs[name] = scalarText(scalar, value, key);
    },
  };
}

/** The text of the element itself. */
export function elementText(): Field {
  return {
    read: (element) => element.getText() || undefined,
    write: (element, value, key) => appendText(element, scalarText(anyText, value, key)),
  };
}

/** The text of a child. The default namespace is that of the parent. */
export function textChild(name: string, namespace?: string, scalar: Scalar = anyText): Field {
  return {
    read(element) {
      const child = findChild(element, name, namespace);
      return child && scalar.read(child.getText());
    },
    write(element, value, key) {
      appendText(addChild(element, name, namespace), scalarText(scalar, value, key));
    },
  };
}

/** An empty child: present for true, absent for false. */
export function flagChild(name: string, namespace?: string): Field {
  return {
    read: (element) => (findChild(element, name, namespace) ? true : undefined),
    write(element, value, key) {
      // In a form, `true` is an empty field.
      if (value === '' || scalarText(yesOrNo, value, key) === 'true') addChild(element, name, namespace);
    },
  };
}

/** One attribute of a child that has no other content. */
export function childAttribute(name: string, namespace: string, attributeName: string): Field {
  return {
    read: (element) => findChild(element, name, namespace)?.attrs[attributeName],
    write(element, value, key) {
      addChild(element, name, namespace).attrs[attributeName] = scalarText(anyText, value, key);
    },
  };
}

/** A child whose element name is the value. */
export function choiceChild(namespace: string, names: readonly string[]): Field {
  return {
    read: (element) => names.find((name) => findChild(element, name, namespace)),
    write(element, value, key) {
      const name = names.find((one) => one === value);
      if (name === undefined) throw invalidValue(key, `must be one of ${names.join(', ')}`);
      addChild(element, name, namespace);
    },
  };
}

/** A child that is an object. A plain text sets the field `shorthand`. */
export function objectChild(
  name: string,
  namespace: string | undefined,
  fields: LazyFieldTable,
  shorthand?: string,
): Field {
  return {
    read(element) {
      const child = findChild(element, name, namespace);
      return child && readFields(resolveTable(fields), child);
    },
    write(element, value, key) {
      const child = addChild(element, name, namespace);
      const given = shorthand !== undefined && typeof value === 'string' ? { [shorthand]: value } : value;
      writeFields(resolveTable(fields), child, requireJsonObject(given, key), `${key}.`);
    },
  };
}

/** Children of one name, each an object. */
export function objectList(name: string, namespace: string | undefined, fields: LazyFieldTable): Field {
  return {
    read(element) {
      const found = findChildren(element, name, namespace);
      return found.length === 0 ? undefined : found.map((child) => readFields(resolveTable(fields), child));
    },
    write(element, value, key) {
      for (const [index, item] of requireJsonList(value, key).entries()) {
        const at = `${key}[${index}]`;
        writeFields(
          resolveTable(fields),
          addChild(element, name, namespace),
          requireJsonObject(item, at),
          `${at}.`,
        );
      }
    },
  };
}

/** Children of one name, each with text. */
export function textList(name: string): Field {
  return {
    read(element) {
      const found = findChildren(element, name);
      return found.length === 0 ? undefined : found.map((child) => child.getText());
    },
    write(element, value, key) {
      for (const [index, item] of requireJsonList(value, key).entries()) {
        appendText(addChild(element, name), scalarText(anyText, item, `${key}[${index}]`));
      }
    },
  };
}

/** A child that only wraps a list of items. */
export function wrappedList(name: string, namespace: string, item: string, fields: FieldTable): Field {
  const inner = objectList(item, undefined, fields);
  return {
    read(element) {
      const child = findChild(element, name, namespace);
      return child && (inner.read(child) ?? []);
    },
    write(element, value, key) {
      // In a GET request only an empty object can stand for an empty list.
      const list = isJsonObject(value) && Object.keys(value).length === 0 ? [] : value;
      inner.write(addChild(element, name, namespace), list, key);
    },
  };
}

/** Returns the children of this name. Without `namespace`, they must have the namespace of the element itself. */
export function findChildren(element: Element, name: string, namespace?: string): Element[] {
  const expected = namespace ?? normalizedNamespace(element);
  return element
    .getChildElements()
    .filter(
      (child) =>
        child.getName() === name && (normalizedNamespace(child) === expected || child.getNS() === expected),
    );
}

export function findChild(element: Element, name: string, namespace?: string): Element | undefined {
  return findChildren(element, name, namespace)[0];
}

export function addChild(element: Element, name: string, namespace?: string): Element {
  const child = xml(name, namespace === undefined ? {} : { xmlns: namespace });
  element.append(child);
  return child;
}

export function appendText(element: Element, content: string): void {
  if (content !== '') element.append(content);
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function requireJsonObject(value: JsonValue, key: string): JsonObject {
  if (!isJsonObject(value)) throw invalidValue(key, 'must be an object');
  return value;
}

export function requireJsonList(value: JsonValue, key: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw invalidValue(key, 'must be a list');
  return value;
}

export function requireJsonText(value: JsonValue, key: string): string {
  return scalarText(anyText, value, key);
}

/** Returns true if objects and lists are nested deeper than `MAX_STANZA_DEPTH`. Writing them is recursive. */
export function isTooDeep(value: JsonValue): boolean {
  const pending: [JsonValue, number][] = [[value, 1]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [current, depth] = next;
    if (typeof current !== 'object' || current === null) continue;
    if (depth > MAX_STANZA_DEPTH) return true;
    for (const inner of Object.values(current)) pending.push([inner, depth + 1]);
  }
  return false;
}

export function invalidValue(key: string, problem: string): Refusal {
  return new Refusal('bad_request', { text: `"${key}" ${problem}.` });
}

function resolveTable(fields: LazyFieldTable): FieldTable {
  return typeof fields === 'function' ? fields() : fields;
}
