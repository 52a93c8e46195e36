import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DoctorReport } from '../../../src/doctor/report.ts';
import { reportReadiness } from '../../../src/doctor/running-server.ts';

const config = {
  component: [{ jid: 'upload.example.org' }],
  storage: { blobs: { kind: 'folder', path: '/srv/blobs' } },
} as unknown as Parameters<typeof reportReadiness>[1];

describe('what the doctor says about the answer of /readyz', () => {
  test('fails for a broken part, and only warns of a slow one', () => {
    const report = new DoctorReport();
    const disconnected = reportReadiness(report, config, {
      reasons: [
        { part: 'blobs', reason: 'The blobs cannot be written.' },
        { part: 'upload.example.org', reason: 'The component stream is down.' },
      ],
      slow: [{ part: 'ledger', reason: 'The ledger is slow.' }],
    });
    assert.deepEqual(
      report.findings.map(({ check, state }) => [check, state]),
      [
        ['server: blobs', 'fail'],
        ['server: ledger', 'warn'],
      ],
    );
    assert.match(report.findings[1]?.text ?? '', /The ledger is slow\. Check the load/);
    assert.deepEqual(disconnected, ['upload.example.org']);
  });
});
