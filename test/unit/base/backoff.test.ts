import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from '../../../src/base/backoff.ts';

describe('the wait before something is tried again', () => {
  test('is one second at first, doubles, and is at most a minute', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => backoffMs(attempt));
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
    );
  });

  test('grows up to the given limit', () => {
    const hour = 3_600_000;
    assert.deepEqual(
      [
        backoffMs(9, { longestMs: hour }),
        backoffMs(12, { longestMs: hour }),
        backoffMs(9999, { longestMs: hour }),
      ],
      [512_000, hour, hour],
    );
  });

  test('is shortened at random, by at most a half', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
        const full = backoffMs(attempt);
        const wait = backoffMs(attempt, { chance });
        assert.ok(wait >= full / 2 && wait <= full);
      }),
    );
    assert.notEqual(backoffMs(3, { chance: 0.2 }), backoffMs(3, { chance: 0.8 }));
  });
});
