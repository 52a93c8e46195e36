import xml, { type Element } from '@xmpp/xml';
import { MAX_STANZA_DEPTH, toCanonical } from './canonical.ts';
import { FORBIDDEN_XML_CHARACTER } from './xml-text.ts';

/** Text that is no XML, or not the one element that was asked for; the message says where it goes wrong. */
export class NotWellFormedError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'NotWellFormed';
  }
}

const NAME = /^(?:([\p{L}_][\p{L}\p{N}\p{M}_.-]*):)?[\p{L}_][\p{L}\p{N}\p{M}_.-]*$/u;

/**
 * Reads one element out of text that strangers wrote, as RFC 6120 §11.1 has XML: no processing instructions, no
 * comments, no document type, no entities of one's own. What it gives is `canonical`: it can be written into a
 * stream as it is.
 */
export function parseElement(text: string): Element {
  const forbidden = /<(?:\?|!(?!\[CDATA\[))/.exec(text);
  if (forbidden)
    throw new NotWellFormedError('Comments, processing instructions and DOCTYPE have no place here.');
  if (FORBIDDEN_XML_CHARACTER.test(text))
    throw new NotWellFormedError('There is a character that XML does not allow.');
  const element = read(text.trim());
  checkNames(element);
  return toCanonical(element);
}

/**
 * Where no quote or tag follows, the reader looks for one from every character anew, which takes it seconds. With
 * these at the end it always finds one, and what is left of them tells that nothing else stood there.
 */
const STOP = `"'`;

function read(text: string): Element {
  const parser = new xml.Parser();
  let root: Element | undefined;
  let ended = false;
  const refuseMore = () => {
    if (ended) throw new NotWellFormedError('There is something behind the end of the element.');
  };
  parser.on('start', (element: Element) => {
    root = element;
  });
  parser.on('element', (element: Element) => {
    refuseMore();
    root?.append(element);
  });
  parser.on('end', () => {
    refuseMore();
    ended = true;
  });
  parser.on('error', (error: Error) => {
    throw new NotWellFormedError(error.message, error);
  });
  try {
    parser.write(`${text}${STOP}<`);
  } catch (error) {
    if (error instanceof NotWellFormedError) throw error;
    throw new NotWellFormedError(error instanceof Error ? error.message : 'That is no XML.', error);
  }
  if (!ended || root?.children.pop() !== STOP || !text.startsWith('<')) {
    throw new NotWellFormedError('An element is not closed, or there is none.');
  }
  return root;
}

/** The reader takes names that no other reader would; one of them on a stream ends it. */
function checkNames(root: Element): void {
  const waiting: [Element, ReadonlySet<string>, number][] = [[root, new Set(['xml']), 1]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [element, above, depth] = next;
    if (depth > MAX_STANZA_DEPTH)
      throw new NotWellFormedError(`Elements are nested more than ${MAX_STANZA_DEPTH} deep.`);
    const declared = Object.keys(element.attrs).filter((name) => name.startsWith('xmlns:'));
    const known =
      declared.length === 0 ? above : new Set([...above, ...declared.map((name) => name.slice(6))]);
    for (const name of [element.name, ...Object.keys(element.attrs)]) checkName(name, known);
    for (const child of element.getChildElements()) waiting.push([child, known, depth + 1]);
  }
}

function checkName(name: string, known: ReadonlySet<string>): void {
  const match = NAME.exec(name);
  if (!match) throw new NotWellFormedError(`"${name.slice(0, 40)}" is no name of an element or attribute.`);
  const prefix = match[1];
  if (prefix !== undefined && prefix !== 'xmlns' && !known.has(prefix)) {
    throw new NotWellFormedError(`The prefix of ${name.slice(0, 40)} is not declared.`);
  }
}
