import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reportClockSkew } from '../../../src/doctor/component.ts';
import { reportHeaders } from '../../../src/doctor/downloads.ts';
import { DoctorReport, type Finding } from '../../../src/doctor/report.ts';
import { reportDiskSpace, reportLedgerClock } from '../../../src/doctor/storage.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function checkSpace(
  free: number,
  total: number,
  {
    minFree,
    reserve = null,
    freeFiles = 1e6,
  }: { minFree?: number; reserve?: number | null; freeFiles?: number } = {},
): Finding {
  const report = new DoctorReport();
  reportDiskSpace(report, 'disk', { free, total, freeFiles, totalFiles: 1e6 }, { minFree, reserve });
  const [finding] = report.findings;
  assert.ok(finding);
  return finding;
}

describe('the free disk space', () => {
  test('of an empty disk that is too small is not reported as used up', () => {
    const { state, text } = checkSpace(3 * MIB, 3 * MIB);
    assert.equal(state, 'fail');
    assert.match(text, /too small: 3 MiB in total, and 64 MiB should be free/);
  });

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
    const reserve = 0;
    assert.equal(checkSpace(49 * GIB, 1000 * GIB, { minFree: 50 * GIB, reserve }).state, 'fail');
    assert.equal(checkSpace(50 * GIB, 1000 * GIB, { minFree: 50 * GIB, reserve }).state, 'ok');
    assert.equal(checkSpace(10 * MIB, 1000 * GIB, { minFree: MIB, reserve }).state, 'ok');
  });

  test('below storage.reserve fails whatever --min-free is, because uploads are refused', () => {
    const { state, text } = checkSpace(255 * MIB, 1000 * GIB, { minFree: MIB });
    assert.equal(state, 'fail');
    assert.match(text, /less than storage\.reserve \(256 MiB\): 255 MiB free.*get 507\. Free some space/);
    assert.equal(checkSpace(9 * GIB, 1000 * GIB, { reserve: 10 * GIB }).state, 'fail');
  });

  test('fails if the file system has no room for more files, though it has bytes', () => {
    const { state, text } = checkSpace(500 * GIB, 1000 * GIB, { freeFiles: 999 });
    assert.equal(state, 'fail');
    assert.match(text, /999 more files only \(inodes\).*get 507/);
  });

  test('is reported with a remedy', () => {
    const { text } = checkSpace(GIB / 2, 100 * GIB);
    assert.match(text, /512 MiB free of 100 GiB\. Free some space: porter users/);
  });
});

describe('the headers of a download', () => {
  const good = {
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
    'content-disposition': 'inline',
    'access-control-allow-origin': '*',
    etag: '"a"',
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=1',
  };
  const failed = (headers: Record<string, string>) => {
    const report = new DoctorReport();
    reportHeaders(report, { status: 200, headers, body: Buffer.alloc(0), localAddress: undefined });
    return report.findings.filter(({ state }) => state === 'fail').map(({ check }) => check);
  };

  test('pass if the web server adds nosniff once more, because browsers read both as one', () => {
    assert.deepEqual(failed(good), []);
    assert.deepEqual(failed({ ...good, 'x-content-type-options': 'nosniff, nosniff' }), []);
  });

  test('fail if a second value means something else', () => {
    assert.deepEqual(failed({ ...good, 'access-control-allow-origin': '*, *' }), [
      'header access-control-allow-origin',
    ]);
    assert.deepEqual(failed({ ...good, 'x-content-type-options': 'nosniff, none' }), [
      'header x-content-type-options',
    ]);
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

describe('the clock of the database', () => {
  const finding = (...args: [number | null, Parameters<typeof reportLedgerClock>[2]]) => {
    const report = new DoctorReport();
    reportLedgerClock(report, ...args);
    return report.findings[0];
  };
  const instance = (host: string, clockSkewMs: number | null, silentMs = 0) => ({
    host,
    clockSkewMs,
    silentMs,
  });

  test('agrees with this machine and all running instances', () => {
    assert.equal(finding(4_000, [instance('a', 0), instance('b', null)])?.state, 'ok');
    assert.equal(finding(0, [instance('ended', 90_000, 61_000)])?.state, 'ok');
    assert.equal(finding(null, [])?.state, 'skip');
  });

  test('is reported with the machine whose clock differs', () => {
    const mine = finding(60_000, []);
    assert.equal(mine?.state, 'warn');
    assert.match(mine?.text ?? '', /^It is 1 min ahead of the clock of this machine: /);
    assert.match(finding(0, [instance('b', -60_000)])?.text ?? '', /^It is 1 min behind the clock of b: /);
  });
});
