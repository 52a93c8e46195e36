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

test('a doctor whose first test upload was refused can try again', async (t) => {
  const { services } = await openTestServices(t);
  let isFailing = true;
  const reserve: typeof services.ledger.reserve = async (reservation) => {
    if (isFailing) throw new Error('the ledger is away');
    return await services.ledger.reserve(reservation);
  };
  const probes = createProbeUploads({ ...services, ledger: { ...services.ledger, reserve } });
  await assert.rejects(probes.token(), /the ledger is away/);
  isFailing = false;
  const token = await probes.token();
  assert.notEqual(token, '');
  assert.equal(await probes.token(), token);
  await probes.close();
});
