import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  contradicts,
  essence,
  isOneOf,
  isShownInline,
  readMediaType,
} from '../../../src/policy/media-type.ts';

describe('media types', () => {
  test('are kept with their parameters', () => {
    assert.equal(readMediaType(' text/plain; charset=utf-8 '), 'text/plain; charset=utf-8');
    assert.equal(readMediaType('image/svg+xml'), 'image/svg+xml');
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
    ]) {
      assert.equal(readMediaType(text), undefined, JSON.stringify(text));
    }
  });

  test('never carry anything that could end a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const type = readMediaType(`text/plain;${text}`);
        assert.ok(type === undefined || /^[\t -~]+$/.test(type));
      }),
    );
  });

  test('are compared without parameters and case', () => {
    assert.equal(essence('Text/HTML ; charset=x'), 'text/html');
    assert.equal(contradicts('IMAGE/png; a=b', 'image/png'), false);
    assert.equal(contradicts('image/png', 'image/jpeg'), true);
  });

  test('a PUT without a type, or with an empty one, contradicts nothing', () => {
    for (const given of [null, '', '  ', ';charset=utf-8'])
      assert.equal(contradicts(given, 'image/jpeg'), false);
  });

  test('a slot that named no type is contradicted by none', () => {
    assert.equal(contradicts('image/png', 'application/octet-stream'), false);
  });

  test('ranges take what lies below them', () => {
    assert.equal(isOneOf('image/png', ['video/*', 'image/*']), true);
    assert.equal(isOneOf('imagex/png', ['image/*']), false);
    assert.equal(isOneOf('text/plain; charset=utf-8', ['text/plain']), true);
    assert.equal(isOneOf('text/plain', ['*/*']), true);
    assert.equal(isOneOf('text/plain', []), false);
  });

  test('nothing that can run a script is shown inline, whatever the config allows', () => {
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
