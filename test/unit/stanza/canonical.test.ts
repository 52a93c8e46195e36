import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { StanzaTooComplexError, toCanonical } from '../../../src/stanza/canonical.ts';
import { parseElement } from '../../../src/stanza/parse.ts';

/** A server with a namespace-aware parser would end the stream because of each of them. */
const same: readonly (readonly [title: string, given: string, expected: string])[] = [
  ['a prefix', '<m xmlns:x="urn:x"><x:a/></m>', '<m><a xmlns="urn:x"/></m>'],
  ['a prefix within its own', '<x:a xmlns:x="urn:x"><x:b/><c/></x:a>', '<a xmlns="urn:x"><b/><c/></a>'],
  ["a stanza's own namespace", '<m xmlns="jabber:client"><b/></m>', '<m><b/></m>'],
  [
    'a stanza within another',
    '<m><f xmlns="urn:xmpp:forward:0"><m xmlns="jabber:client"><b/></m></f></m>',
    '<m><f xmlns="urn:xmpp:forward:0"><m xmlns="jabber:client"><b/></m></f></m>',
  ],
  [
    'an attribute with a prefix',
    '<m xmlns:x="urn:x"><a x:b="c" xml:lang="de"/></m>',
    '<m><a xmlns:x="urn:x" x:b="c" xml:lang="de"/></m>',
  ],
  [
    'one attribute under two prefixes',
    '<m xmlns:x="u" xmlns:y="u" x:a="1" y:a="2"/>',
    '<m xmlns:x="u" x:a="1"/>',
  ],
  ['a prefix for nothing', '<m xmlns:x="" x:a="1"/>', '<m/>'],
  ['the prefix xml for another', '<m xmlns:xml="urn:x"/>', '<m/>'],
  ['the namespace of xml', '<m xmlns="http://www.w3.org/XML/1998/namespace"/>', '<m/>'],
  ['the namespace of xmlns', '<m xmlns:a="http://www.w3.org/2000/xmlns/" a:b="c"/>', '<m/>'],
];

describe('An element that is written to a stream', () => {
  for (const [title, given, expected] of same) {
    test(`can be read by every peer: ${title}`, () => {
      assert.equal(parseElement(given).toString(), expected);
      assert.equal(parseElement(expected).toString(), expected);
    });
  }

  test('is refused beyond the nesting limit', () => {
    let deep = xml('a');
    for (let i = 0; i < 100_000; i += 1) deep = wrap(deep);
    assert.throws(() => toCanonical(deep), StanzaTooComplexError);
  });
});

function wrap(inner: ReturnType<typeof xml>) {
  const outer = xml('a');
  outer.append(inner);
  return outer;
}
