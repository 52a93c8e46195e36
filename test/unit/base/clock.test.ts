import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { stamp, systemClock } from '../../../src/base/clock.ts';

describe('time', () => {
  test('is stamped in UTC to the second, as XEP-0082 has it', () => {
    assert.equal(stamp(0), '1970-01-01T00:00:00Z');
    assert.equal(stamp(Date.UTC(2027, 1, 3, 4, 5, 6)), '2027-02-03T04:05:06Z');
    assert.equal(stamp(1), '1970-01-01T00:00:01Z');
  });

  test('is never promised too early, nor more than a second late', () => {
    fc.assert(
      fc.property(fc.nat(4_102_444_800_000), (ms) => {
        const promised = Date.parse(stamp(ms));
        assert.ok(promised >= ms && promised < ms + 1000);
        assert.match(stamp(ms), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      }),
    );
  });

  test('goes by whole milliseconds', () => assert.ok(Number.isSafeInteger(systemClock())));
});
