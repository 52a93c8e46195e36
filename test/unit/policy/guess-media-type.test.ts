import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mediaTypesForName, parseMediaType } from '../../../src/policy/media-type.ts';

describe('the type of a file by its name', () => {
  test('is the usual one first', () => {
    for (const [name, type] of [
      ['a.jpg', 'image/jpeg'],
      ['A.JPG', 'image/jpeg'],
      ['a.b.png', 'image/png'],
      ['a.m4a', 'audio/mp4'],
      ['a.pdf', 'application/pdf'],
      ['a.webm', 'video/webm'],
    ] as const) {
      assert.equal(mediaTypesForName(name)[0], type, name);
    }
  });

  test('is empty for an unknown extension', () => {
    for (const name of ['a', 'jpg', '.', '', 'a.doesnotexist', 'a.constructor', 'a.jpg ']) {
      assert.deepEqual(mediaTypesForName(name), [], name);
    }
  });

  test('can always be served', () => {
    fc.assert(
      fc.property(fc.string(), (ending) => {
        for (const type of mediaTypesForName(`x.${ending}`)) assert.equal(parseMediaType(type), type);
      }),
    );
  });
});
