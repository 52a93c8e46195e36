import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseFileSize } from '../../../src/policy/file-size.ts';

describe('the size in a slot request', () => {
  test('is a whole number of bytes', () => {
    for (const [given, size] of [
      ['1', 1],
      [7, 7],
      ['2147483648', 2 ** 31],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ] as const) {
      assert.equal(parseFileSize(given), size);
    }
  });

  for (const [given, problem] of [
    ['0', /^Empty files cannot be sent\.$/],
    [0, /^Empty files cannot be sent\.$/],
    ['9007199254740992', /^The size is too large: a file has at most 9007199254740991 bytes\.$/],
    [2 ** 60, /^The size is too large/],
    [1e30, /^The size is too large/],
    ['1.5', /without decimals/],
    [0.5, /without decimals/],
    ['-1', /cannot be negative/],
    [-3, /cannot be negative/],
    ['1e3', /in digits/],
    ['ten', /in digits/],
    ['', /in digits/],
    ['007', /in digits/],
    [' 5', /in digits/],
    [Number.NaN, /in digits/],
  ] as const) {
    test(`is refused with the reason if it is ${JSON.stringify(given)}`, () => {
      const result = parseFileSize(given);
      assert.ok(typeof result !== 'number');
      assert.match(result.problem, problem);
    });
  }
});
