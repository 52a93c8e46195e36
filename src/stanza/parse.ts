import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { MAX_STANZA_DEPTH, toCanonical } from './canonical.ts';
import { FORBIDDEN_XML_CHARACTER } from './xml-text.ts';

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
  if (/<(?:\?|!(?!\[CDATA\[))/.test(text)) {
    throw new NotWellFormedError('Comments, processing instructions and DOCTYPE are not allowed.');
  }
  if (FORBIDDEN_XML_CHARACTER.test(text)) {
    throw new NotWellFormedError('The text contains a character that XML does not allow.');
  }
  const element = parse(text.trim());
  checkNames(element);
  return toCanonical(element);
}

/** Parses a body of `application/xmpp+xml`. Does not check which element it is. Refuses with `bad_request`. */
export function parseStanza(text: string): Element {
  try {
    return parseElement(text);
  } catch (error) {
    if (!(error instanceof NotWellFormedError)) throw error;
    throw new Refusal('bad_request', { text: `Invalid stanza: ${error.message}`, cause: error });
  }
}

/**
 * The parser searches for the next quote or tag from every character, which takes seconds in a text without one. This
 * suffix ends each search. If it is the last child of the root afterwards, nothing else followed the element.
 */
const SUFFIX = `"'`;

function parse(text: string): Element {
  const parser = new xml.Parser();
  let root: Element | undefined;
  let isEnded = false;
  const refuseTrailing = () => {
    if (isEnded) throw new NotWellFormedError('There is content after the end of the element.');
  };
  parser.on('start', (element: Element) => {
    root = element;
  });
  parser.on('element', (element: Element) => {
    refuseTrailing();
    root?.append(element);
  });
  parser.on('end', () => {
    refuseTrailing();
    isEnded = true;
  });
  parser.on('error', (error: Error) => {
    throw new NotWellFormedError(error.message, error);
  });
  try {
    parser.write(`${text}${SUFFIX}<`);
  } catch (error) {
    if (error instanceof NotWellFormedError) throw error;
    throw new NotWellFormedError(error instanceof Error ? error.message : 'This is not XML.', error);
  }
  if (!isEnded || root?.children.pop() !== SUFFIX || !text.startsWith('<')) {
    throw new NotWellFormedError('An element is not closed, or there is no element.');
  }
  return root;
}

/** Rejects names that this parser accepts but others do not. One of them on a stream ends the stream. */
function checkNames(root: Element): void {
  const pending: [Element, ReadonlySet<string>, number][] = [[root, new Set(['xml']), 1]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [element, inherited, depth] = next;
    if (depth > MAX_STANZA_DEPTH) {
      throw new NotWellFormedError(`Elements are nested more than ${MAX_STANZA_DEPTH} deep.`);
    }
    const declared = Object.keys(element.attrs).filter((name) => name.startsWith('xmlns:'));
    const prefixes =
      declared.length === 0 ? inherited : new Set([...inherited, ...declared.map((name) => name.slice(6))]);
    for (const name of [element.name, ...Object.keys(element.attrs)]) checkName(name, prefixes);
    for (const child of element.getChildElements()) pending.push([child, prefixes, depth + 1]);
  }
}

function checkName(name: string, prefixes: ReadonlySet<string>): void {
  const match = NAME.exec(name);
  const shown = name.slice(0, 40);
  if (!match) throw new NotWellFormedError(`"${shown}" is not a valid name of an element or attribute.`);
  const prefix = match[1];
  if (prefix !== undefined && prefix !== 'xmlns' && !prefixes.has(prefix)) {
    throw new NotWellFormedError(`The namespace prefix of ${shown} is not declared.`);
  }
}
