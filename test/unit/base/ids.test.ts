import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { randomId, secretsEqual, sha256Hex, timeOrderedId, toPutKey } from '../../../src/base/ids.ts';

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

describe('dated ids', () => {
  const NOW = Date.UTC(2026, 10, 20);
  const later = (seconds: number) => timeOrderedId(NOW + seconds * 1000);

  test('look like any other and are never the same twice', () => {
    const ids = Array.from({ length: 5000 }, () => timeOrderedId(NOW));
    assert.equal(new Set(ids).size, 5000);
    for (const id of ids) assert.match(id, /^[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('lie in the order of the seconds in which they were made', () => {
    const ids = [0, 1, 31, 32, 33, 86_400, 365 * 86_400, 900 * 365 * 86_400].map(later);
    assert.deepEqual(ids.toSorted(), ids);
  });

  test('have 19 random characters behind the second', () => {
    const [one, other] = [timeOrderedId(NOW), timeOrderedId(NOW + 999)];
    assert.equal(one.slice(0, 7), other.slice(0, 7));
    const places = Array.from(
      { length: 19 },
      (_, i) => new Set(Array.from({ length: 500 }, () => timeOrderedId(NOW)[i + 7])),
    );
    for (const letters of places) assert.ok(letters.size > 16);
  });

  test('are kept as a hash, where they are secret, in the same order', () => {
    const token = timeOrderedId(NOW);
    assert.equal(toPutKey(token), token.slice(0, 7) + sha256Hex(token));
    assert.ok(toPutKey(later(0)) < toPutKey(later(1)));
  });
});

describe('secrets', () => {
  test('are the same only where every character is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        // Lone surrogates are no text: as bytes they are all the same.
        fc.pre(one.isWellFormed() && other.isWellFormed());
        assert.equal(secretsEqual(one, other), one === other);
        assert.ok(secretsEqual(one, one));
      }),
    );
  });

  test('are kept as SHA-256', () => {
    assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    assert.equal(sha256Hex(Buffer.from('abc')), sha256Hex('abc'));
  });
});
