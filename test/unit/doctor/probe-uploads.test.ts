import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProbeUploads } from '../../../src/uploads/probe-uploads.ts';
import { openTestServices } from '../../support/test-services.ts';

test('an interrupted doctor leaves no slot, also if one was just being granted', async (t) => {
  const { services } = await openTestServices(t);
  const probes = createProbeUploads(services);
  const file = { name: 'small.txt', size: 1000, type: 'text/plain' };
  const granting = probes.requestSlot(file);
  await probes.close();
  await granting;
  await assert.rejects(probes.requestSlot(file), /interrupted/);
  const { owners, pendingUploads } = await services.ledger.stats();
  assert.deepEqual({ owners, pendingUploads }, { owners: 0, pendingUploads: 0 });
});
