import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestFileServer } from '../../support/test-file-server.ts';

test('a redirect to the object store is never cached, and ends with the file', async (t) => {
  const server = await startTestFileServer(t, {
    presignedLinks: async ({ blob }) => `https://bucket.example.org/${blob}`,
  });
  const { id, getPath } = await server.storeFile('hello');
  for (const headers of [{}, { Range: 'bytes=0-1' }]) {
    const { status, headers: given, text } = await server.get(getPath, headers);
    assert.equal(status, 302);
    assert.match(given.location ?? '', /^https:\/\/bucket\.example\.org\//);
    assert.equal(given['cache-control'], 'no-store');
    assert.equal(given['access-control-allow-origin'], '*');
    assert.equal(text, '');
  }
  await server.services.ledger.remove({
    ids: [id],
    reason: 'deleted',
    detail: '',
    now: server.services.clock(),
  });
  server.fileCache.invalidate(id);
  assert.equal((await server.get(getPath)).status, 404);
});
