import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';

/** The namespaces that a stanza's own element may have (RFC 6120 §4.8, XEP-0114 §3); on any stream it is left out. */
const STANZA_NAMESPACES = ['jabber:client', 'jabber:component:accept', 'jabber:server'];
const XML_PREFIX = 'xml:';
/** XML Namespaces §3: nothing may be bound to these two, and a reader ends the stream over it. */
const RESERVED = ['http://www.w3.org/XML/1998/namespace', 'http://www.w3.org/2000/xmlns/'];

/** Deeper than any stanza that means something; what walks over a stanza is recursive. */
export const MAX_STANZA_DEPTH = 64;

/** More than `MAX_DEPTH` elements within each other. */
export class StanzaTooDeepError extends Refusal {
  constructor() {
    super('bad_request', { text: `Elements are nested more than ${MAX_STANZA_DEPTH} deep.` });
  }
}

/**
 * A copy that means the same wherever it is put into a stream: no element has a prefix, `xmlns` stands where the
 * namespace changes, and an attribute with a prefix brings its declaration along. A stanza's own namespace is left
 * out. Throws `StanzaTooDeepError`.
 */
export function toCanonical(element: Element): Element {
  return copy(element, stanzaNamespace(element), 1);
}

/** The same for what stands inside an element of this namespace. */
export function toCanonicalWithin(element: Element, namespace: string): Element {
  return copy(element, namespace, 1);
}

/** A stanza's namespace in one name, so that it is the same on every stream. */
export function normalizedNamespace(element: Element): string | undefined {
  const namespace = element.getNS();
  return namespace === undefined || STANZA_NAMESPACES.includes(namespace) ? undefined : namespace;
}

function stanzaNamespace(element: Element): string | undefined {
  const namespace = element.getNS();
  return normalizedNamespace(element) === undefined ? namespace : undefined;
}

function copy(element: Element, around: string | undefined, depth: number): Element {
  if (depth > MAX_STANZA_DEPTH) throw new StanzaTooDeepError();
  const namespace = element.getNS();
  const changed = namespace !== around && namespace !== undefined && !RESERVED.includes(namespace);
  const result = xml(element.getName(), changed ? { xmlns: namespace } : {});
  copyAttributes(element, result);
  for (const child of element.children) {
    result.append(typeof child === 'string' ? child : copy(child, namespace, depth + 1));
  }
  return result;
}

function copyAttributes(from: Element, to: Element): void {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(from.attrs)) {
    const colon = name.indexOf(':');
    if (name === 'xmlns' || name.startsWith('xmlns:') || value === undefined) continue;
    if (colon < 0 || name.startsWith(XML_PREFIX)) {
      to.attrs[name] = value;
      continue;
    }
    const prefix = name.slice(0, colon);
    const namespace = boundTo(from, prefix);
    const expanded = `${namespace} ${name.slice(colon + 1)}`;
    // Two prefixes for one namespace would make of two attributes the same one twice.
    if (namespace === undefined || namespace === '' || seen.has(expanded)) continue;
    if (RESERVED.includes(namespace)) continue;
    seen.add(expanded);
    to.attrs[`xmlns:${prefix}`] = namespace;
    to.attrs[name] = value;
  }
}

function boundTo(element: Element, prefix: string): string | undefined {
  for (let at: Element | null = element; at !== null; at = at.parent) {
    const namespace = at.attrs[`xmlns:${prefix}`];
    if (namespace !== undefined) return namespace;
  }
  return undefined;
}
