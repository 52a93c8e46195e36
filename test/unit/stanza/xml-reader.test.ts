import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import fc from 'fast-check';
import { Refusal } from '../../../src/base/errors.ts';
import { parseStanza } from '../../../src/stanza/parse.ts';
import {
  readElement,
  STANZA_BUDGET,
  XmlBudgetError,
  XmlStreamReader,
  XmlSyntaxError,
} from '../../../src/stanza/xml-reader.ts';
import { countWork } from '../../support/count-work.ts';
import { HOSTILE_DOCUMENTS, HOSTILE_XML } from './hostile-xml.ts';

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
const LENGTH = 60_000;
/** Characters that may be inspected or copied for each character of the input. */
const WORK_PER_CHARACTER = 8;
/** For each write, in addition. */
const WORK_PER_WRITE = 16;

interface ReadStream {
  readonly elements: readonly string[];
  readonly skipped: readonly string[];
  readonly error: string | undefined;
  readonly isEnded: boolean;
}

/** Feeds a stream in chunks and returns everything that the reader reports. */
function readStream(chunks: Iterable<string>, budget = STANZA_BUDGET): ReadStream {
  const elements: string[] = [];
  const skipped: string[] = [];
  let isEnded = false;
  const reader = new XmlStreamReader(budget, {
    onElement: (element) => elements.push(element.toString()),
    onOverBudget: (element, error) => skipped.push(`${element.toString()} ${error.message}`),
    onEnd: () => {
      isEnded = true;
    },
  });
  try {
    for (const chunk of chunks) reader.write(chunk);
  } catch (error) {
    assert.ok(error instanceof XmlSyntaxError || error instanceof XmlBudgetError, String(error));
    return { elements, skipped, error: error.message, isEnded };
  }
  return { elements, skipped, error: undefined, isEnded };
}

function split(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, index) =>
    text.slice(index * length, (index + 1) * length),
  );
}

describe('The work of reading XML', () => {
  for (const [name, create] of Object.entries(HOSTILE_XML)) {
    for (const chunkLength of [1, 25, 1400, LENGTH]) {
      test(`grows with the number of characters alone: ${name} in chunks of ${chunkLength}`, () => {
        const text = HEADER + create(LENGTH);
        const chunks = split(text, chunkLength);
        const work = countWork(() => readStream(chunks));
        const limit = WORK_PER_CHARACTER * text.length + WORK_PER_WRITE * chunks.length;
        assert.ok(work <= limit, `${work} characters for ${text.length} in ${chunks.length} writes`);
      });
    }
  }

  test('is counted: a parser that rescans its input exceeds the limit', () => {
    const chunks = split(`<s>${HOSTILE_XML['brackets in CDATA']?.(LENGTH)}`, 25);
    const parser = new xml.Parser();
    const work = countWork(() => {
      for (const chunk of chunks) parser.write(chunk);
    });
    assert.ok(work > 10 * WORK_PER_CHARACTER * LENGTH, `${work}`);
  });

  test('grows with the number of characters alone: a stanza over HTTP whose elements declare many prefixes', () => {
    const declarations = Array.from({ length: 2000 }, (_, index) => `xmlns:p${index}='u'`).join(' ');
    const text = `<message ${declarations}>${`<b xmlns:x='u'/>`.repeat(4000)}</message>`;
    const work = countWork(() => parseStanza(text));
    assert.ok(work <= 16 * text.length, `${work} for ${text.length} characters`);
  });
});

describe('A stanza over its budget', () => {
  const budget = { maxLength: 1000, maxDepth: 4, maxNodes: 20 };

  test('is skipped if it has too many elements, and the stream goes on', () => {
    const { elements, skipped, error } = readStream(
      [`${HEADER}<iq id='1'>${'<b/>'.repeat(30)}</iq><iq id='2'/>`],
      budget,
    );
    assert.deepEqual(elements, ['<iq id="2"/>']);
    assert.deepEqual(skipped, ['<iq id="1"/> The element has more than 20 elements, attributes and texts.']);
    assert.equal(error, undefined);
  });

  test('is skipped if it has too many attributes or texts', () => {
    const attributes = Array.from({ length: 20 }, (_, index) => `b${index}=''`).join(' ');
    assert.match(
      readStream([`${HEADER}<a><c ${attributes}/></a>`], budget).skipped[0] ?? '',
      /^<a\/> .*20 elements/,
    );
    const texts = `x<b/>`.repeat(11);
    assert.match(readStream([`${HEADER}<a>${texts}</a>`], budget).skipped[0] ?? '', /^<a\/> .*20 elements/);
  });

  test('is skipped if it is nested too deeply', () => {
    const { elements, skipped } = readStream(
      [`${HEADER}<a><b><c><d/></c></b></a><a><b><c><d><e/></d></c></b></a>`],
      budget,
    );
    assert.deepEqual(elements, ['<a><b><c><d/></c></b></a>']);
    assert.deepEqual(skipped, ['<a/> Elements are nested more than 4 deep.']);
  });

  test('ends the stream if it is too long, wherever it is split', () => {
    for (const chunkLength of [1, 100, 5000]) {
      const text = `${HEADER}<a>${'x'.repeat(2000)}`;
      assert.equal(
        readStream(split(text, chunkLength), budget).error,
        'The element is longer than 1000 characters.',
      );
    }
  });

  test('does not count what came before it', () => {
    const text = HEADER + `<a>${'x'.repeat(900)}</a>`.repeat(50);
    assert.equal(readStream(split(text, 700), budget).elements.length, 50);
  });

  test('ends the stream if the parser itself would have to keep too many parts of it', () => {
    assert.match(
      readStream([HEADER + '<a>'.repeat(85)], { ...budget, maxLength: 10_000 }).error ?? '',
      /more than 20/,
    );
    const attributes = Array.from({ length: 85 }, (_, index) => `b${index}=''`).join(' ');
    assert.match(
      readStream([`${HEADER}<a ${attributes}`], { ...budget, maxLength: 10_000 }).error ?? '',
      /more than 20/,
    );
  });
});

describe('A stream', () => {
  test('keeps prefixes that are not declared, and resolves declared ones', () => {
    const found: (string | undefined)[] = [];
    const reader = new XmlStreamReader(STANZA_BUDGET, {
      onElement: (element) => found.push(element.getNS(), element.getChildElements()[0]?.getNS()),
    });
    reader.write(`${HEADER}<stream:features><x:a/></stream:features><iq><q xmlns='urn:q'/></iq>`);
    assert.deepEqual(found, ['http://etherx.jabber.org/streams', undefined, 'jabber:client', 'urn:q']);
  });

  test('may have white space between stanzas, but no text', () => {
    assert.equal(readStream([`${HEADER} <a/>\n<a/> `]).elements.length, 2);
    assert.equal(readStream([`${HEADER}<a/>x<a/>`]).error, 'There is text between two stanzas.');
    assert.equal(readStream([`${HEADER}<a/>&#65;<a/>`]).error, 'There is text between two stanzas.');
  });

  test('ends with its closing tag', () => {
    const { elements, isEnded, error } = readStream(split(`${HEADER}<a/></stream:stream>`, 3));
    assert.deepEqual({ elements, isEnded, error }, { elements: ['<a/>'], isEnded: true, error: undefined });
  });
});

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const content = fc.string({ unit: fc.constantFrom(...`ab<>&"']]é\u{1f600}`) });
const escapeText = (text: string) =>
  xml('x', {}, text)
    .toString()
    .replace(/^<x\/?>|<\/x>$/g, '');
/** Ways to write the same text. */
const written = content.chain((text) =>
  fc.constantFrom(
    escapeText(text),
    text === '' || text.includes(']]>') ? '' : `<![CDATA[${text}]]>`,
    [...text].map((character) => `&#${character.codePointAt(0)};`).join(''),
    [...text].map((character) => `&#x${character.codePointAt(0)?.toString(16)};`).join(''),
  ),
);
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc
    .tuple(
      name,
      fc.dictionary(name, content, { maxKeys: 3 }),
      fc.array(fc.oneof({ depthSize: 'small' }, written, tie('tree')), { maxLength: 4 }),
      fc.constantFrom('', ' ', '\n'),
    )
    .map(([tag, attributes, children, space]) => {
      const start = xml(tag, attributes).toString().replace(/\/>$/, '');
      return children.length === 0
        ? `${start}${space}/>`
        : `${start}${space}>${children.join('')}</${tag}${space}>`;
    }),
}));

/** Reads with the parser of @xmpp/xml, which is not linear, accepts more, and loses text behind CDATA. */
function readWithReference(text: string): string[] {
  const parser = new xml.Parser();
  const elements: string[] = [];
  parser.on('element', (element: Element) => elements.push(element.toString()));
  parser.on('error', (error: Error) => {
    throw error;
  });
  parser.write(text.replace(/<!\[CDATA\[(.*?)\]\]>/gs, (_section, inside: string) => escapeText(inside)));
  return elements;
}

/** Splits the UTF-8 bytes at these positions and decodes each part like a stream does. */
function splitBytes(text: string, positions: readonly number[]): string[] {
  const bytes = Buffer.from(text);
  const cuts = [...new Set(positions.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return [...cuts, bytes.length].map((end, index) =>
    decoder.decode(bytes.subarray(cuts[index - 1] ?? 0, end), { stream: true }),
  );
}

describe('Any stream', () => {
  test('of well-formed stanzas is read like by another parser, wherever it is split', () => {
    fc.assert(
      fc.property(
        fc.array(tree, { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (stanzas, cuts) => {
          const text = HEADER + stanzas.join('\n');
          const { elements, error } = readStream(splitBytes(text, cuts));
          assert.equal(error, undefined);
          assert.deepEqual(elements, readWithReference(text));
          assert.equal(elements.length, stanzas.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('of arbitrary pieces gives the same result wherever it is split, and its elements are well-formed', () => {
    const pieces = fc.constantFrom(
      ...`<>/="'& !?-[]abx:;#\r\n`,
      ...[
        '<a>',
        '</a>',
        '<b/>',
        'xmlns:x=',
        '&amp;',
        '&#1;',
        '<![CDATA[',
        ']]>',
        '<!--',
        '-->',
        '\u{fffe}',
        '\u{0}',
        'é😀',
      ],
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (parts, cuts) => {
          const text = `${HEADER}<a>${parts.join('')}`;
          const whole = readStream([text]);
          assert.deepEqual(readStream(splitBytes(text, cuts)), whole);
          for (const element of whole.elements) {
            assert.equal(readElement(element, STANZA_BUDGET).toString(), element);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('A hostile document', () => {
  for (const [title, text] of Object.entries(HOSTILE_DOCUMENTS)) {
    test(`is refused with 400 and a sentence: ${title}`, () => {
      assert.throws(
        () => parseStanza(text),
        (error) => error instanceof Refusal && error.code === 'bad_request' && error.message.length < 200,
      );
    });
  }
});
