import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reportClockSkew } from '../../../src/doctor/component.ts';
import { createDoctorReport, type Finding } from '../../../src/doctor/report.ts';
import { reportDiskSpace } from '../../../src/doctor/storage.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function room(free: number, total: number, minFree?: number): Finding {
  const notes = createDoctorReport(() => undefined);
  reportDiskSpace(notes, 'disk', { free, total }, minFree);
  const [finding] = notes.findings;
  assert.ok(finding);
  return finding;
}

describe('the room on a disk', () => {
  for (const [what, state, free, total] of [
    ['a large disk with a gigabyte left', 'ok', GIB, 1000 * GIB],
    ['a large disk with less', 'warn', GIB - 1, 1000 * GIB],
    ['a small disk that is a tenth empty', 'ok', 0.2 * GIB, 2 * GIB],
    ['a small disk that is almost full', 'warn', 0.09 * GIB, 2 * GIB],
    ['a disk on which the ledger could not grow', 'fail', 63 * MIB, 1000 * GIB],
    ['a tiny disk that is half empty', 'fail', 50 * MIB, 100 * MIB],
  ] as const) {
    test(`${what}: ${state}`, () => assert.equal(room(free, total).state, state));
  }

  test('is held to what an admin asks for, and to nothing else then', () => {
    assert.equal(room(49 * GIB, 1000 * GIB, 50 * GIB).state, 'fail');
    assert.equal(room(50 * GIB, 1000 * GIB, 50 * GIB).state, 'ok');
    assert.equal(room(10 * MIB, 1000 * GIB, MIB).state, 'ok');
  });

  test('is told in words, with what to do about it', () => {
    const { text } = room(GIB / 2, 100 * GIB);
    assert.match(text, /512 MiB free of 100 GiB\. Make room: porter users/);
  });
});

describe('the clock of the XMPP server', () => {
  const judge = (skewMs: number | undefined) => {
    const notes = createDoctorReport(() => undefined);
    reportClockSkew(notes, 'upload.example.org', skewMs);
    const [finding] = notes.findings;
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
    test(`${skewMs === undefined ? 'silent' : `off by ${skewMs} ms`}: ${state}`, () => {
      assert.equal(judge(skewMs)?.state, state);
    });
  }

  test('is ahead or behind', () => {
    assert.match(judge(60_000)?.text ?? '', /1 min ahead of/);
    assert.match(judge(-60_000)?.text ?? '', /1 min behind/);
  });
});
