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
  test('are kept with their parameters', () => {
    assert.equal(parseMediaType(' text/plain; charset=utf-8 '), 'text/plain; charset=utf-8');
    assert.equal(parseMediaType('image/svg+xml'), 'image/svg+xml');
    assert.equal(parseMediaType('text/plain;a="x, \\"y" ; b=c;'), 'text/plain;a="x, \\"y" ; b=c;');
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
      'Text/HTML; charset=x',
    ]) {
      assert.equal(isShownInline(type, all), false, type);
    }
    assert.equal(isShownInline('image/png', ['image/*']), true);
    assert.equal(isShownInline('application/pdf', ['image/*']), false);
  });
});
