import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { typesByName } from '../../../src/policy/guess-type.ts';
import { readMediaType } from '../../../src/policy/media-type.ts';

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
      assert.equal(typesByName(name)[0], type, name);
    }
  });

  test('is unknown where nobody knows it', () => {
    for (const name of ['a', 'jpg', '.', '', 'a.doesnotexist', 'a.constructor', 'a.jpg ']) {
      assert.deepEqual(typesByName(name), [], name);
    }
  });

  test('can always be served', () => {
    fc.assert(
      fc.property(fc.string(), (ending) => {
        for (const type of typesByName(`x.${ending}`)) assert.equal(readMediaType(type), type);
      }),
    );
  });
});
