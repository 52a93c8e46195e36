import type { Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { toCanonical } from './canonical.ts';
import {
  MAX_STANZA_DEPTH,
  readElement,
  STANZA_BUDGET,
  XmlBudgetError,
  XmlSyntaxError,
} from './xml-reader.ts';

/** The text is not exactly one well-formed XML element. The message says what is wrong. */
export class NotWellFormedError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'NotWellFormedError';
  }
}

const NAME = /^(?:([\p{L}_][\p{L}\p{N}\p{M}_.-]*):)?[\p{L}_][\p{L}\p{N}\p{M}_.-]*$/u;

/**
 * Parses one element from untrusted text with the restrictions of RFC 6120 §11.1: no processing instructions, comments,
 * document type or custom entities. The result is canonical and can be written to a stream unchanged. Throws
 * `NotWellFormedError`.
 */
export function parseElement(text: string): Element {
  const element = parse(text);
  checkNames(element);
  return toCanonical(element);
}

/** Parses a body of `application/xmpp+xml`. Does not check the name of the element. Throws `Refusal` (`bad_request`). */
export function parseStanza(text: string): Element {
  try {
    return parseElement(text);
  } catch (error) {
    if (!(error instanceof NotWellFormedError)) throw error;
    throw new Refusal('bad_request', { text: `Invalid stanza: ${error.message}`, cause: error });
  }
}

function parse(text: string): Element {
  try {
    return readElement(text, { ...STANZA_BUDGET, maxDepth: MAX_STANZA_DEPTH });
  } catch (error) {
    if (!(error instanceof XmlSyntaxError || error instanceof XmlBudgetError)) throw error;
    throw new NotWellFormedError(error.message, error);
  }
}

/**
 * Rejects names that this parser accepts but others do not: an XMPP server ends a stream with such a name. `prefixes` counts
 * the declarations in scope.
 */
function checkNames(element: Element, prefixes = new Map([['xml', 1]])): void {
  const names = Object.keys(element.attrs);
  const declared = names.filter((name) => name.startsWith('xmlns:')).map((name) => name.slice(6));
  for (const prefix of declared) prefixes.set(prefix, (prefixes.get(prefix) ?? 0) + 1);
  for (const name of [element.name, ...names]) checkName(name, prefixes);
  for (const child of element.getChildElements()) checkNames(child, prefixes);
  for (const prefix of declared) prefixes.set(prefix, (prefixes.get(prefix) ?? 0) - 1);
}

function checkName(name: string, prefixes: ReadonlyMap<string, number>): void {
  const match = NAME.exec(name);
  const shown = name.slice(0, 40);
  if (!match) throw new NotWellFormedError(`"${shown}" is not a valid name of an element or attribute.`);
  const prefix = match[1];
  if (prefix !== undefined && prefix !== 'xmlns' && !prefixes.get(prefix)) {
    throw new NotWellFormedError(`The namespace prefix of ${shown} is not declared.`);
  }
}
