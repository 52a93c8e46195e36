import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  isShownInline,
  isTypeMismatch,
  matchesMediaRange,
  mediaTypeEssence,
  parseMediaType,
} from '../../../src/policy/media-type.ts';

describe('media types', () => {
  test('are written in one spelling, with their parameters', () => {
    for (const [text, written] of [
      [' text/plain; charset=utf-8 ', 'text/plain; charset=utf-8'],
      ['Image/SVG+xml', 'image/svg+xml'],
      ['text/plain;A="x, \\"y" ; b=C;;', 'text/plain; a="x, \\"y"; b=C'],
      ['text/plain;charset="utf-8"; CHARSET=utf-7', 'text/plain; charset=utf-8'],
      ['video/mp4; codecs="avc1.42E01E, mp4a.40.2"', 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'],
      ['image/png; a="b,text/html;c"', 'image/png'],
      ['a/b; c=""', 'a/b; c=""'],
    ] as const) {
      assert.equal(parseMediaType(text), written);
      assert.equal(parseMediaType(written), written);
    }
  });

  test('are read as the same single type by every reader, whether or not it respects quotes', () => {
    const character = fc.constantFrom(
      ...'aA1/;,="\\ \t+*-é\n'.split(''),
      'text/html',
      'image/png',
      ';,',
      'charset=',
    );
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 30 }), (text) => {
        const type = parseMediaType(`image/png${text}`);
        if (type === undefined) return;
        assert.equal(parseMediaType(type), type);
        assert.match(type, /^[a-z0-9/+*-]+(?:; [a-z0-9*+-]+=(?:[A-Za-z0-9*+-]+|"(?:[^"\\]|\\.)*"))*$/);
        for (const part of type.split(',').slice(1)) assert.doesNotMatch(part, /^\s*[^\s;]+\/[^\s;]+/);
      }),
      { numRuns: 5000 },
    );
  });

  test('are read in the same way with and without an empty parameter', () => {
    const character = fc.constantFrom(...'azAZ09/!*+.^_`|~- ,é'.split(''));
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 8 }), (text) => {
        assert.equal(parseMediaType(`a/${text}`), parseMediaType(`a/${text};`));
      }),
      { numRuns: 2000 },
    );
  });

  test('that are malformed are refused', () => {
    for (const text of [
      '',
      'image',
      'image/',
      '/png',
      'a b/c',
      'text/plain\r\nX: y',
      `text/${'x'.repeat(300)}`,
      'text/é',
      'image/png;,text/html',
      'image/png, text/html',
      'image/png; a=b, text/html',
      'image/png; text/html',
      'image/png; a="b',
    ]) {
      assert.equal(parseMediaType(text), undefined, JSON.stringify(text));
    }
  });

  test('never contain characters that could end a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const type = parseMediaType(`text/plain;${text}`);
        assert.ok(type === undefined || /^[\t -~]+$/.test(type));
      }),
    );
  });

  test('are compared without parameters and case', () => {
    assert.equal(mediaTypeEssence('Text/HTML ; charset=x'), 'text/html');
    assert.equal(isTypeMismatch('IMAGE/png; a=b', 'image/png'), false);
    assert.equal(isTypeMismatch('image/png', 'image/jpeg'), true);
  });

  test('a PUT without a type, or with an empty one, contradicts nothing', () => {
    for (const given of [null, '', '  ', ';charset=utf-8'])
      assert.equal(isTypeMismatch(given, 'image/jpeg'), false);
  });

  test('no type contradicts a slot without a type', () => {
    assert.equal(isTypeMismatch('image/png', 'application/octet-stream'), false);
  });

  test('ranges match their subtypes', () => {
    assert.equal(matchesMediaRange('image/png', ['video/*', 'image/*']), true);
    assert.equal(matchesMediaRange('imagex/png', ['image/*']), false);
    assert.equal(matchesMediaRange('text/plain; charset=utf-8', ['text/plain']), true);
    assert.equal(matchesMediaRange('text/plain', ['*/*']), true);
    assert.equal(matchesMediaRange('text/plain', []), false);
  });

  test('types that can run scripts are never shown inline, whatever the config allows', () => {
    const all = ['*/*'];
    for (const type of [
      'text/html',
      'image/svg+xml',
      'application/xhtml+xml',
      'text/xml',
      'multipart/x-mixed-replace; boundary=a',
      'message/rfc822',
      'application/mathml+xml',
      'Text/HTML; charset=x',
    ]) {
      assert.equal(isShownInline(type, all), false, type);
    }
    assert.equal(isShownInline('image/png', ['image/*']), true);
    assert.equal(isShownInline('application/pdf', ['image/*']), false);
  });
});
