import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatDateTime, formatMoment, parseDateTime, systemClock } from '../../../src/base/clock.ts';

describe('time', () => {
  test('is stamped in UTC to the second, as XEP-0082 has it', () => {
    assert.equal(formatDateTime(0), '1970-01-01T00:00:00Z');
    assert.equal(formatDateTime(Date.UTC(2027, 1, 3, 4, 5, 6)), '2027-02-03T04:05:06Z');
    assert.equal(formatDateTime(1), '1970-01-01T00:00:01Z');
  });

  test('is never promised too early, nor more than a second late', () => {
    fc.assert(
      fc.property(fc.nat(4_102_444_800_000), (ms) => {
        const promised = Date.parse(formatDateTime(ms));
        assert.ok(promised >= ms && promised < ms + 1000);
        assert.match(formatDateTime(ms), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      }),
    );
  });

  test('is read from any XEP-0082 date-time', () => {
    assert.equal(parseDateTime('1970-01-01T00:00:01Z'), 1000);
    assert.equal(parseDateTime('2027-02-03T04:05:06.789Z'), Date.UTC(2027, 1, 3, 4, 5, 6, 789));
    assert.equal(parseDateTime('2027-02-03T04:05:06+02:30'), Date.UTC(2027, 1, 3, 1, 35, 6));
    assert.equal(parseDateTime('2028-02-29T00:00:00Z'), Date.UTC(2028, 1, 29));
    fc.assert(
      fc.property(fc.nat(4_102_444_800), (seconds) => {
        assert.equal(parseDateTime(formatDateTime(seconds * 1000)), seconds * 1000);
      }),
    );
  });

  test('is not read from anything else, nor from days that no calendar has', () => {
    const none = [
      '',
      'tomorrow',
      '2027-02-03',
      '2027-02-03T04:05:06',
      '2027-02-03 04:05:06Z',
      '2027-13-01T00:00:00Z',
    ];
    for (const text of [...none, '2027-02-29T00:00:00Z', '2027-02-03T25:00:00Z', ' 2027-02-03T04:05:06Z']) {
      assert.equal(parseDateTime(text), undefined, text);
    }
    fc.assert(fc.property(fc.string(), (text) => parseDateTime(text) === undefined));
  });

  test('goes by whole milliseconds', () => assert.ok(Number.isSafeInteger(systemClock())));
});

describe('a time in a text for people', () => {
  const now = Date.UTC(2026, 10, 30, 13, 42, 10);
  const MINUTE = 60_000;
  const DAY = 86_400_000;

  test('names the day if it is another one, the year if it is another one, and the distance', () => {
    for (const [at, text] of [
      [Date.UTC(2026, 10, 30, 14, 5), 'at 14:05 UTC, in 23 minutes'],
      [Date.UTC(2026, 11, 30, 0, 44), 'on 30 December at 00:44 UTC, in 29 days'],
      [Date.UTC(2027, 0, 3, 9), 'on 3 January 2027 at 09:00 UTC, in 34 days'],
      [Date.UTC(2026, 11, 1, 0, 30), 'on 1 December at 00:30 UTC, in 11 hours'],
      [now + 40_000, 'at 13:43 UTC, in 40 seconds'],
      [now + 1, 'at 13:43 UTC, in 1 second'],
      [now - 90_000, 'at 13:40 UTC, 90 seconds ago'],
      [now - 2 * DAY, 'on 28 November at 13:42 UTC, 2 days ago'],
    ] as const) {
      assert.equal(formatMoment(at, now), text);
    }
  });

  test('is never promised too early', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * DAY }), (wait) => {
        const [, day = '30', month = 'November', year = '2026', time] =
          /^(?:on (\d+) (\w+)(?: (\d+))? )?at (\d\d:\d\d) UTC, in /.exec(formatMoment(now + wait, now)) ?? [];
        const promised = Date.parse(`${day} ${month} ${year} ${time} UTC`);
        assert.ok(promised >= now + wait && promised < now + wait + MINUTE, formatMoment(now + wait, now));
      }),
    );
  });
});
