import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reportClockSkew } from '../../../src/doctor/component.ts';
import { DoctorReport, type Finding } from '../../../src/doctor/report.ts';
import { reportDiskSpace } from '../../../src/doctor/storage.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function checkSpace(free: number, total: number, minFree?: number): Finding {
  const report = new DoctorReport();
  reportDiskSpace(report, 'disk', { free, total }, minFree);
  const [finding] = report.findings;
  assert.ok(finding);
  return finding;
}

describe('the free disk space', () => {
  for (const [disk, state, free, total] of [
    ['a large disk with a gigabyte left', 'ok', GIB, 1000 * GIB],
    ['a large disk with less', 'warn', GIB - 1, 1000 * GIB],
    ['a small disk that is a tenth empty', 'ok', 0.2 * GIB, 2 * GIB],
    ['a small disk that is almost full', 'warn', 0.09 * GIB, 2 * GIB],
    ['a disk without space for the database', 'fail', 63 * MIB, 1000 * GIB],
    ['a tiny disk that is half empty', 'fail', 50 * MIB, 100 * MIB],
  ] as const) {
    test(`${disk}: ${state}`, () => assert.equal(checkSpace(free, total).state, state));
  }

  test('is compared with --min-free only, if given', () => {
    assert.equal(checkSpace(49 * GIB, 1000 * GIB, 50 * GIB).state, 'fail');
    assert.equal(checkSpace(50 * GIB, 1000 * GIB, 50 * GIB).state, 'ok');
    assert.equal(checkSpace(10 * MIB, 1000 * GIB, MIB).state, 'ok');
  });

  test('is reported with a remedy', () => {
    const { text } = checkSpace(GIB / 2, 100 * GIB);
    assert.match(text, /512 MiB free of 100 GiB\. Free some space: porter users/);
  });
});

describe('the clock of the XMPP server', () => {
  const checkSkew = (skewMs: number | undefined) => {
    const report = new DoctorReport();
    reportClockSkew(report, 'upload.example.org', skewMs);
    const [finding] = report.findings;
    return finding;
  };

  for (const [skewMs, state] of [
    [0, 'ok'],
    [-5000, 'ok'],
    [6000, 'warn'],
    [-30_000, 'warn'],
    [31_000, 'fail'],
    [-86_400_000, 'fail'],
    [undefined, 'skip'],
  ] as const) {
    test(`${skewMs === undefined ? 'no answer' : `off by ${skewMs} ms`}: ${state}`, () => {
      assert.equal(checkSkew(skewMs)?.state, state);
    });
  }

  test('is reported as ahead or behind', () => {
    assert.match(checkSkew(60_000)?.text ?? '', /1 min ahead of/);
    assert.match(checkSkew(-60_000)?.text ?? '', /1 min behind/);
  });
});
