import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseRange } from '../../../../src/http/files/conditional-request.ts';

const size = fc.integer({ min: 1, max: 1_000_000 });

describe('a Range header', () => {
  test('first-last gives just these bytes, both ends included, never beyond the file', () => {
    fc.assert(
      fc.property(size, fc.nat(2_000_000), fc.nat(2_000_000), (length, first, extra) => {
        const range = parseRange(`bytes=${first}-${first + extra}`, length);
        const expected = { start: first, end: Math.min(first + extra + 1, length) };
        assert.deepEqual(range, first < length ? expected : 'unsatisfiable');
      }),
    );
  });

  test('first- gives all from there on, 0- included', () => {
    fc.assert(
      fc.property(size, fc.nat(2_000_000), (length, first) => {
        const expected = first < length ? { start: first, end: length } : 'unsatisfiable';
        assert.deepEqual(parseRange(`bytes=${first}-`, length), expected);
      }),
    );
  });

  test('-n gives the last n bytes, or the whole of a shorter file', () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 2_000_000 }), (length, last) => {
        assert.deepEqual(parseRange(`bytes=-${last}`, length), {
          start: Math.max(0, length - last),
          end: length,
        });
      }),
    );
    assert.equal(parseRange('bytes=-0', 10), 'unsatisfiable');
  });

  test('is parsed in any case and with blanks around it', () => {
    assert.deepEqual(parseRange(' Bytes = 1-2 ', 10), { start: 1, end: 3 });
  });

  test('never leads out of the file and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'bytes=0123456789-, x') }), size, (text, length) => {
        for (const header of [text, `bytes=${text}`]) {
          const range = parseRange(header, length);
          if (range === undefined || range === 'unsatisfiable') continue;
          assert.ok(range.start >= 0 && range.start < range.end && range.end <= length, header);
        }
      }),
    );
  });

  test('of an empty file is never satisfied', () => {
    assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
    assert.equal(parseRange('bytes=-5', 0), undefined);
  });
});
