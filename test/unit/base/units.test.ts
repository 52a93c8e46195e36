import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  describeMissingUnit,
  formatPeriod,
  formatSize,
  parsePeriod,
  parseSize,
} from '../../../src/base/units.ts';

describe('sizes', () => {
  test('are read as people write them', () => {
    const cases: [string | number, number][] = [
      ['512 KiB', 524_288],
      ['10 MB', 10_000_000],
      ['10mb', 10_000_000],
      ['1.5 GiB', 1_610_612_736],
      ['2 TiB', 2_199_023_255_552],
      [' 7 B ', 7],
      ['100M', 100 * 2 ** 20],
      ['512k', 524_288],
      ['2 G', 2 ** 31],
      ['7 bytes', 7],
      ['42', 42],
      [42, 42],
      [0, 0],
    ];
    for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, String(text));
  });

  test('are nothing where they are none', () => {
    for (const text of [
      '',
      '10 elephants',
      '-1',
      '1,5 MB',
      'MB',
      '1e9',
      'NaN',
      '99999999 TiB',
      Number.NaN,
      -5,
    ]) {
      assert.equal(parseSize(text), undefined, String(text));
    }
  });

  test('survive being written with any unit', () => {
    const units = {
      '': 1,
      B: 1,
      kB: 1e3,
      MB: 1e6,
      GB: 1e9,
      KiB: 1024,
      MiB: 1024 ** 2,
      GiB: 1024 ** 3,
      TiB: 1024 ** 4,
    };
    const anyUnit = fc.constantFrom(...Object.entries(units));
    fc.assert(
      fc.property(fc.nat(8000), anyUnit, fc.constantFrom('', ' ', '  '), (count, [unit, factor], gap) => {
        assert.equal(parseSize(`${count}${gap}${unit}`), count * factor);
      }),
    );
  });

  test('that are shown can be read back, to the tenth that is shown', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 52), (bytes) => {
        const back = parseSize(formatSize(bytes).replace(/ bytes?$/, '')) ?? Number.NaN;
        const unit = bytes < 1024 ? 0 : 1024 ** Math.min(4, Math.floor(Math.log2(bytes) / 10));
        assert.ok(Math.abs(back - bytes) <= unit * 0.051, `${bytes} became ${formatSize(bytes)}`);
      }),
    );
  });

  test('are shown with the unit that fits', () => {
    assert.equal(formatSize(0), '0 bytes');
    assert.equal(formatSize(1), '1 byte');
    assert.equal(formatSize(1023), '1023 bytes');
    assert.equal(formatSize(100 * 2 ** 20), '100 MiB');
    assert.equal(formatSize(1.5 * 2 ** 30), '1.5 GiB');
  });
});

describe('periods', () => {
  test('are read as people write them', () => {
    const cases: [string | number, number][] = [
      ['90s', 90_000],
      ['15m', 900_000],
      ['1h', 3_600_000],
      ['30d', 2_592_000_000],
      ['2 w', 1_209_600_000],
      ['250ms', 250],
      ['1.5h', 5_400_000],
      ['30 days', 2_592_000_000],
      ['1 hour', 3_600_000],
      ['5 min', 300_000],
      ['10 seconds', 10_000],
      ['0', 0],
      [0, 0],
    ];
    for (const [text, ms] of cases) assert.equal(parsePeriod(text), ms, String(text));
  });

  test('are nothing where they are none', () => {
    for (const text of ['', 'soon', '30', 30, '1.5', '-1s', '3 months', '1h30m', 'never', '1e3s']) {
      assert.equal(parsePeriod(text), undefined, String(text));
    }
  });

  test('without a unit are answered with the ways to write them', () => {
    assert.equal(describeMissingUnit('30'), '30 has no unit: write 30d, 30 min or 30s');
    assert.equal(describeMissingUnit('30d'), undefined);
  });

  test('survive being written with any unit', () => {
    const units = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 };
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom(...Object.entries(units)), (count, [unit, factor]) => {
        assert.equal(parsePeriod(`${count}${unit}`), count * factor);
      }),
    );
  });

  test('are shown in at most the two largest units, never as too short by more than these can say', () => {
    assert.equal(formatPeriod(0), '0 s');
    assert.equal(formatPeriod(1), '1 s');
    assert.equal(formatPeriod(40_000), '40 s');
    assert.equal(formatPeriod(7_500_000), '2 h 5 min');
    assert.equal(formatPeriod(30 * 86_400_000), '30 d');
    fc.assert(
      fc.property(fc.nat(10 ** 12), (ms) => {
        const parts = formatPeriod(ms).match(/\d+ (?:d|h|min|s)/g) ?? [];
        assert.ok(parts.length >= 1 && parts.length <= 2);
        assert.equal(parts.join(' '), formatPeriod(ms));
      }),
    );
  });
});
