import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestFileServer, type TestFileServer } from '../../support/test-file-server.ts';
import { access } from '../../support/test-services.ts';
import { waitUntil } from '../../support/wait-until.ts';

const QUOTA = 5 * 1024 * 1024;
const FILE = 2_000_000;

async function storedBytes({ services }: TestFileServer): Promise<number> {
  const blobs = await Array.fromAsync(services.blobs.list());
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

test('files that were evicted leave the disk without a sweep', async (t) => {
  const server = await startTestFileServer(t);
  server.setRules({ access: access({ max_total_size: QUOTA, when_full: 'evict' }) });
  const body = Buffer.alloc(FILE, 'x');
  for (let i = 0; i < 40; i += 1) {
    const slot = await server.grantSlot({ size: FILE });
    assert.equal((await server.put(slot, body)).status, 201);
    server.advance(1000);
    await waitUntil(async () => (await storedBytes(server)) <= QUOTA);
  }
  assert.equal((await server.services.ledger.usage('romeo@example.org')).uploads, 2);
  await server.services.blobDeleter.idle();
  assert.equal(await storedBytes(server), 2 * FILE);
  const removed = await server.services.metrics.registry.getSingleMetricAsString(
    'porter_removed_uploads_total',
  );
  assert.match(removed, /reason="evicted"} 38$/m);
});

test('a request that evicts more files than one transaction may remove is granted', async (t) => {
  const server = await startTestFileServer(t);
  const { ledger, clock } = server.services;
  const now = clock();
  const uploads = Array.from({ length: 900 }, (_, i) => {
    const id = `1mn${String(i).padStart(23, '0')}`;
    return {
      ...{ id, locator: id, owner: 'romeo@example.org', purpose: '', name: 'a.bin', type: 'text/plain' },
      ...{ size: 1, blob: `ab/${id}.bin`, expiresAt: null, storedAt: now },
    };
  });
  assert.equal((await ledger.importUploads({ uploads })).length, 900);
  server.setRules({ access: access({ max_total_size: 1000, when_full: 'evict' }) });
  const { id } = await server.grantSlot({ size: 950 });
  assert.equal((await ledger.find(id))?.state, 'issued');
  assert.deepEqual(await ledger.usage('romeo@example.org'), {
    ...{ uploads: 50, bytes: 50, pendingUploads: 1, pendingBytes: 950 },
  });
});
