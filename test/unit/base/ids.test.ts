import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { randomId, sameSecret, sha256Hex } from '../../../src/base/ids.ts';

describe('ids', () => {
  test('fit a URL, a file name and a case-folding disk', () => {
    for (let count = 0; count < 500; count++) assert.match(randomId(), /^[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('are never the same twice', () => {
    assert.equal(new Set(Array.from({ length: 5000 }, randomId)).size, 5000);
  });

  test('use every letter of their alphabet, so that 26 of them are 130 bits', () => {
    const letters = new Set(Array.from({ length: 500 }, randomId).join(''));
    assert.equal(letters.size, 32);
  });
});

describe('secrets', () => {
  test('are the same only where every character is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        // Lone surrogates are no text: as bytes they are all the same.
        fc.pre(one.isWellFormed() && other.isWellFormed());
        assert.equal(sameSecret(one, other), one === other);
        assert.ok(sameSecret(one, one));
      }),
    );
  });

  test('are kept as SHA-256', () => {
    assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    assert.equal(sha256Hex(Buffer.from('abc')), sha256Hex('abc'));
  });
});
