import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import fc from 'fast-check';
import { NotWellFormedError, parseElement } from '../../../src/stanza/parse.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const text = fc.string({ unit: fc.constantFrom(...'a<>&"\' é\u{1f600}\n') });
/** XML replaces the line ends in attributes with spaces. */
const attributeText = text.map((value) => value.replaceAll('\n', ' '));
const { tree } = fc.letrec<{ tree: ReturnType<typeof xml> }>((tie) => ({
  tree: fc
    .tuple(
      name,
      fc.dictionary(name, attributeText, { maxKeys: 3 }),
      fc.array(fc.oneof({ depthSize: 'small' }, text, tie('tree')), { maxLength: 3 }),
    )
    .map(([tag, attrs, children]) => xml(tag, attrs, ...children)),
}));

describe('Untrusted XML', () => {
  test('is parsed unchanged', () => {
    fc.assert(
      fc.property(tree, (element) => {
        assert.equal(parseElement(element.toString()).toString(), element.toString());
      }),
    );
  });

  test('may contain CDATA, prefixes and predefined entities', () => {
    const read = parseElement(`<a xmlns:x='urn:x'><x:b c='&#65;&amp;'/><![CDATA[<&>]]></a>`);
    assert.equal(read.toString(), `<a><b xmlns="urn:x" c="A&amp;"/>&lt;&amp;&gt;</a>`);
  });

  for (const bad of [
    '',
    'text',
    '<a>',
    '<a',
    '<a><b></a>',
    '</a>',
    '<a/><b/>',
    '<a></a><a></a>',
    '<a></a>text',
    'text<a/>',
    '<a/>text>',
    '<a/>"',
    `<a b="${'é😀>'.repeat(40_000)}`,
    `<a>${'é😀>'.repeat(40_000)}`,
    '<a><b<c/></a>',
    '<a "b"="c"/>',
    '<a 1="c"/>',
    '<x:a/>',
    '<a x:b="c"/>',
    '<a>&nbsp;</a>',
    '<a>&#0;</a>',
    '<a>\u{0}</a>',
    '<a>\u{fffe}</a>',
    '<a b="\u{1b}"/>',
    '<a><!-- b --></a>',
    '<?xml version="1.0"?><a/>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    '<a>'.repeat(65) + '</a>'.repeat(65),
    '<a>'.repeat(50_000) + '</a>'.repeat(50_000),
  ]) {
    test(`is refused: ${JSON.stringify(bad.slice(0, 50))}`, () => {
      assert.throws(() => parseElement(bad), NotWellFormedError);
    });
  }

  test('is either parsed or refused, and parsed XML stays the same when written and parsed again', () => {
    const pieces = fc.constantFrom(...'<>/="\'& !?-[]abx:', '<a>', '</a>', '<b/>', 'xmlns:x=', '&amp;');
    fc.assert(
      fc.property(fc.array(pieces), (parts) => {
        let read: string;
        try {
          read = parseElement(parts.join('')).toString();
        } catch (error) {
          assert.ok(error instanceof NotWellFormedError);
          return;
        }
        assert.equal(parseElement(read).toString(), read);
      }),
      { numRuns: 2000 },
    );
  });
});
