import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { MAX_STANZA_DEPTH, STANZA_BUDGET } from './xml-reader.ts';

/** Namespaces of the stanza element itself (RFC 6120 §4.8, XEP-0114 §3). They are implied by the stream. */
const STANZA_NAMESPACES = ['jabber:client', 'jabber:component:accept', 'jabber:server'];
const XML_PREFIX = 'xml:';
/** Namespaces that no prefix may be bound to (XML Namespaces §3). A peer would end the stream. */
const RESERVED = ['http://www.w3.org/XML/1998/namespace', 'http://www.w3.org/2000/xmlns/'];

/** The stanza is nested deeper than `MAX_STANZA_DEPTH`, or its namespace declarations are too long. */
export class StanzaTooComplexError extends Refusal {}

/**
 * Returns a copy that has the same meaning on every stream: no element has a prefix, `xmlns` is set where the namespace
 * changes, and each attribute with a prefix comes with its declaration. The namespace of the stanza itself is left
 * out. Throws `StanzaTooComplexError`.
 */
export function toCanonical(element: Element): Element {
  return copy(element, stanzaNamespace(element), 1, { length: 0 });
}

/** Like `toCanonical`, for an element inside a parent of this namespace. */
export function toCanonicalWithin(element: Element, namespace: string): Element {
  return copy(element, namespace, 1, { length: 0 });
}

/** Returns the namespace of an element; undefined for all namespaces of stanzas, so that the stream makes no difference. */
export function normalizedNamespace(element: Element): string | undefined {
  const namespace = element.getNS();
  return namespace === undefined || STANZA_NAMESPACES.includes(namespace) ? undefined : namespace;
}

function stanzaNamespace(element: Element): string | undefined {
  const namespace = element.getNS();
  return normalizedNamespace(element) === undefined ? namespace : undefined;
}

/** Characters of all declarations in a copy. One declaration above many children becomes one at each of them. */
interface Declarations {
  length: number;
}

function copy(
  element: Element,
  parentNamespace: string | undefined,
  depth: number,
  declarations: Declarations,
): Element {
  if (depth > MAX_STANZA_DEPTH) {
    throw tooComplex(`Elements are nested more than ${MAX_STANZA_DEPTH} deep.`);
  }
  const namespace = element.getNS();
  const isChanged = namespace !== parentNamespace && namespace !== undefined && !RESERVED.includes(namespace);
  if (isChanged) declare(declarations, namespace);
  const result = xml(element.getName(), isChanged ? { xmlns: namespace } : {});
  copyAttributes(element, result, declarations);
  for (const child of element.children) {
    result.append(typeof child === 'string' ? child : copy(child, namespace, depth + 1, declarations));
  }
  return result;
}

function declare(declarations: Declarations, namespace: string): void {
  declarations.length += namespace.length;
  if (declarations.length > STANZA_BUDGET.maxLength) {
    throw tooComplex('Its namespace declarations are too long if each element has its own.');
  }
}

function tooComplex(text: string): StanzaTooComplexError {
  return new StanzaTooComplexError('bad_request', { text });
}

function copyAttributes(from: Element, to: Element, declarations: Declarations): void {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(from.attrs)) {
    const colon = name.indexOf(':');
    if (name === 'xmlns' || name.startsWith('xmlns:') || value === undefined) continue;
    if (colon < 0 || name.startsWith(XML_PREFIX)) {
      to.attrs[name] = value;
      continue;
    }
    const prefix = name.slice(0, colon);
    const namespace = resolvePrefix(from, prefix);
    const expanded = `${namespace} ${name.slice(colon + 1)}`;
    // Two prefixes of one namespace would otherwise give the same attribute twice.
    if (namespace === undefined || namespace === '' || seen.has(expanded)) continue;
    if (RESERVED.includes(namespace)) continue;
    seen.add(expanded);
    if (to.attrs[`xmlns:${prefix}`] === undefined) declare(declarations, namespace);
    to.attrs[`xmlns:${prefix}`] = namespace;
    to.attrs[name] = value;
  }
}

function resolvePrefix(element: Element, prefix: string): string | undefined {
  for (let current: Element | null = element; current !== null; current = current.parent) {
    const namespace = current.attrs[`xmlns:${prefix}`];
    if (namespace !== undefined) return namespace;
  }
  return undefined;
}
