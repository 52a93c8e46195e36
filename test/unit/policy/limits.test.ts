import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AccessRule } from '../../../src/policy/access.ts';
import { announcedMaxFileSize, uploadLimitsFor } from '../../../src/policy/access.ts';
import type { Retention } from '../../../src/policy/retention.ts';

const rule: AccessRule = {
  jid: ['.*'],
  deny: false,
  max_file_size: 1000,
  max_total_size: 5000,
  max_files: 40,
  bytes_per: { period: 3_600_000, bytes: 2000 },
  uploads_per: { period: 60_000, uploads: 3 },
  allowed_types: null,
  when_full: 'reject',
};

const retention: Retention = {
  max_age: null,
  soft_quota: 0,
  purposes: { profile: { max_file_size: 200, max_total_size: 300 } },
  name_prefixes: {},
};

describe('limits of an upload', () => {
  test('combine the rule, the purpose and the quota of the service', () => {
    const limits = uploadLimitsFor(rule, retention, 'profile', 9000);
    assert.equal(limits.maxFileSize, 200);
    assert.deepEqual(limits.quotas, {
      ownerBytes: 5000,
      ownerFiles: 40,
      purposeBytes: 300,
      bytesPer: rule.bytes_per,
      uploadsPer: rule.uploads_per,
      globalBytes: 9000,
    });
  });

  test('without a purpose come from the rule only', () => {
    const limits = uploadLimitsFor(rule, retention, '', null);
    assert.equal(limits.maxFileSize, 1000);
    assert.equal(limits.quotas.purposeBytes, null);
  });

  test('the largest possible file is announced to clients', () => {
    const generous = { ...rule, max_file_size: 10_000 };
    assert.equal(announcedMaxFileSize(uploadLimitsFor(generous, retention, '', null)), 2000);
    assert.equal(announcedMaxFileSize(uploadLimitsFor(generous, retention, '', 1500)), 1500);
    const unlimited = { ...rule, max_file_size: null, max_total_size: null, bytes_per: null };
    assert.equal(announcedMaxFileSize(uploadLimitsFor(unlimited, retention, '', null)), null);
  });
});
