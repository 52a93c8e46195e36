import xml, { type Element } from '@xmpp/xml';
import { SaxesParser } from 'saxes';

/** Limits for one element: a stanza of a stream, or the single element of a document. */
export interface XmlBudget {
  /** Characters of the element, tags included. */
  readonly maxLength: number;
  /** The element itself has depth 1. */
  readonly maxDepth: number;
  /** Elements, attributes and pieces of text. Each one takes memory, however short it is. */
  readonly maxNodes: number;
}

/** Deeper than any useful stanza. The limit protects recursive functions from a stack overflow. */
export const MAX_STANZA_DEPTH = 64;

/**
 * Budget of a stanza from a stream or a request. XMPP servers accept and forward smaller stanzas only (usually 256 or 512 KiB).
 * Deeper stanzas are read up to a depth that is safe for recursion, so that their sender gets an error.
 */
export const STANZA_BUDGET: XmlBudget = {
  maxLength: 4 * 1024 * 1024,
  maxDepth: 4 * MAX_STANZA_DEPTH,
  maxNodes: 50_000,
};

/** Tags and attributes that one element may leave open, as a multiple of its `maxNodes`. */
const OPEN_PARTS_FACTOR = 4;

/** One element exceeds its budget. */
export class XmlBudgetError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XmlBudgetError';
  }
}

/** The text is not well-formed, or contains a construct that RFC 6120 §11.1 forbids. */
export class XmlSyntaxError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'XmlSyntaxError';
  }
}

export interface XmlStreamHandlers {
  /** Gets the stream header. */
  readonly onHeader?: (header: Element) => void;
  /** Gets each complete child of the stream header. */
  readonly onElement: (element: Element) => void;
  /** Gets an element with too many nodes or levels after its end: its name and attributes, without children. */
  readonly onOverBudget?: (element: Element, error: XmlBudgetError) => void;
  /** The closing tag of the stream. */
  readonly onEnd?: () => void;
}

/**
 * Reads a stream (RFC 6120 §4) chunk by chunk. Every character is read once, so that the work grows with the number of
 * characters alone, however they are split.
 *
 * An element with too many nodes or levels is skipped: its memory is freed at once, and the stream continues, because the
 * server may have forwarded the element from another user. `write` throws `XmlBudgetError` if an element is too long, and
 * `XmlSyntaxError` for every error that ends a stream. The reader must not be used afterwards.
 */
export class XmlStreamReader {
  readonly #reader: ElementReader;

  constructor(budget: XmlBudget, handlers: XmlStreamHandlers) {
    this.#reader = new ElementReader(1, budget, handlers);
  }

  /** Applies from the current element on. */
  set budget(budget: XmlBudget) {
    this.#reader.budget = budget;
  }

  /** The text must come from a UTF-8 decoder that keeps incomplete characters back. */
  write(text: string): void {
    this.#reader.write(text);
  }
}

/** Reads a text that is one element. Throws `XmlSyntaxError` or `XmlBudgetError`. */
export function readElement(text: string, budget: XmlBudget): Element {
  if (text.length > budget.maxLength) throw tooLong(budget);
  let root: Element | undefined;
  const reader = new ElementReader(0, budget, {
    onElement: (element) => {
      root = element;
    },
    onOverBudget: (_element, error) => {
      throw error;
    },
  });
  reader.write(text);
  reader.end();
  return root as unknown as Element;
}

/**
 * Builds elements from the events of `saxes`.
 *
 * | `#depth`       | inside                             | `#current`                                              |
 * |----------------|------------------------------------|---------------------------------------------------------|
 * | below `level`  | nothing, or the stream header      | undefined                                               |
 * | at `level`     | between two elements               | undefined                                               |
 * | above          | an element                         | the innermost open element; undefined while it is skipped |
 */
class ElementReader {
  /** Applies from the current element on. */
  budget: XmlBudget;
  /** Depth outside of the elements that are passed on: 1 in a stream, 0 in a document. */
  readonly #level: number;
  readonly #handlers: XmlStreamHandlers;
  readonly #parser = new SaxesParser({
    // Namespaces are resolved later: an undeclared prefix that a server forwards must not end the stream.
    xmlns: false,
    position: false,
    defaultXMLVersion: '1.0',
    forceXMLVersion: true,
  });
  #header: Element | undefined;
  #depth = 0;
  /** The outermost element. */
  #top: Element | undefined;
  #current: Element | undefined;
  #overBudget: XmlBudgetError | undefined;
  #nodes = 0;
  /** Attributes of the open tag. Copying those of the parser is slower. */
  #attributes: Record<string, string> = {};
  #openAttributes = 0;
  /** Characters written so far. The position of the parser has this meaning only during its events. */
  #written = 0;
  /** Position of the first character that counts for the length of the current element. */
  #start = 0;

  constructor(level: number, budget: XmlBudget, handlers: XmlStreamHandlers) {
    this.#level = level;
    this.budget = budget;
    this.#handlers = handlers;
    const parser = this.#parser;
    const refuse = () => {
      throw new XmlSyntaxError('Comments, processing instructions and DOCTYPE are not allowed.');
    };
    parser.on('comment', refuse);
    parser.on('processinginstruction', refuse);
    parser.on('doctype', refuse);
    if (level === 0) parser.on('xmldecl', refuse);
    parser.on('error', (error) => {
      throw new XmlSyntaxError(`${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`, error);
    });
    parser.on('opentagstart', () => this.#limitOpenParts());
    parser.on('attribute', ({ name, value }) => {
      this.#openAttributes += 1;
      this.#limitOpenParts();
      this.#attributes[name] = value;
    });
    parser.on('opentag', ({ name }) => this.#open(name));
    parser.on('closetag', () => this.#close());
    parser.on('text', (text) => this.#append(text));
    parser.on('cdata', (text) => this.#append(text));
  }

  write(text: string): void {
    if (!text.isWellFormed()) throw new XmlSyntaxError('The text contains an unpaired surrogate.');
    this.#written += text.length;
    this.#parser.write(text);
    if (this.#written - this.#start > this.budget.maxLength) throw tooLong(this.budget);
  }

  end(): void {
    this.#parser.close();
  }

  /** The parser keeps these parts until their end, also those of an element that is skipped. */
  #limitOpenParts(): void {
    const { maxNodes } = this.budget;
    if (this.#depth + this.#openAttributes > OPEN_PARTS_FACTOR * maxNodes) throw tooManyNodes(maxNodes);
  }

  #open(name: string): void {
    const attributes = this.#attributes;
    const attributeCount = this.#openAttributes;
    this.#attributes = {};
    this.#openAttributes = 0;
    this.#depth += 1;
    if (this.#depth <= this.#level) {
      this.#header = createElement(name, attributes);
      this.#start = this.#parser.position;
      this.#handlers.onHeader?.(this.#header);
      return;
    }
    const isTop = this.#depth === this.#level + 1;
    this.#nodes += 1 + attributeCount;
    if (isTop) this.#top = createElement(name, attributes);
    if (this.#nodes > this.budget.maxNodes) this.#skip(tooManyNodes(this.budget.maxNodes));
    if (this.#depth - this.#level > this.budget.maxDepth) this.#skip(tooDeep(this.budget.maxDepth));
    if (this.#overBudget !== undefined) return;
    const element = isTop ? (this.#top as Element) : createElement(name, attributes);
    if (isTop) element.parent = this.#header ?? null;
    else this.#current?.append(element);
    this.#current = element;
  }

  #close(): void {
    this.#depth -= 1;
    if (this.#depth > this.#level) {
      if (this.#overBudget === undefined) this.#current = this.#current?.parent ?? undefined;
    } else if (this.#depth === this.#level) {
      this.#finishTop();
    } else {
      this.#handlers.onEnd?.();
    }
  }

  #finishTop(): void {
    const top = this.#top as Element;
    const error = this.#overBudget;
    this.#top = undefined;
    this.#current = undefined;
    this.#overBudget = undefined;
    this.#nodes = 0;
    this.#start = this.#parser.position;
    if (error === undefined) this.#handlers.onElement(top);
    else this.#handlers.onOverBudget?.(top, error);
  }

  #append(text: string): void {
    if (this.#depth <= this.#level) {
      if (this.#depth > 0 && text.trim() !== '')
        throw new XmlSyntaxError('There is text between two stanzas.');
      return;
    }
    if (this.#overBudget !== undefined || text === '') return;
    this.#nodes += 1;
    if (this.#nodes > this.budget.maxNodes) this.#skip(tooManyNodes(this.budget.maxNodes));
    else this.#current?.append(text);
  }

  /** Frees the part of the current element that was read, and ignores the rest. */
  #skip(error: XmlBudgetError): void {
    if (this.#overBudget !== undefined) return;
    this.#overBudget = error;
    this.#current = undefined;
    const { name, attrs } = this.#top as Element;
    this.#top = new xml.Element(name, attrs);
    this.#top.parent = this.#header ?? null;
  }
}

function createElement(name: string, attributes: Record<string, string>): Element {
  const element = new xml.Element(name);
  element.attrs = attributes;
  return element;
}

function tooLong({ maxLength }: XmlBudget): XmlBudgetError {
  return new XmlBudgetError(`The element is longer than ${maxLength} characters.`);
}

function tooManyNodes(maxNodes: number): XmlBudgetError {
  return new XmlBudgetError(`The element has more than ${maxNodes} elements, attributes and texts.`);
}

function tooDeep(maxDepth: number): XmlBudgetError {
  return new XmlBudgetError(`Elements are nested more than ${maxDepth} deep.`);
}
