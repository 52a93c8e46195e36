import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createLog } from '../../../../src/base/log.ts';
import { openFsBlobs } from '../../../../src/blobs/fs/fs-blobs.ts';
import { removeLeftSpoolFiles } from '../../../../src/uploads/housekeeping.ts';

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-spool-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'blobs');
  const blobs = openFsBlobs({ root, sync: false });
  const create = () => blobs.createSpoolFile?.() ?? assert.fail();
  return { root, blobs, create };
}

describe('a file of a form beside the blobs', () => {
  test('is no blob, and readable for Porter only', async (t) => {
    const { root, blobs, create } = await open(t);
    await writeFile(await create(), 'bytes');
    await create();
    assert.deepEqual(await Array.fromAsync(blobs.list()), []);
    assert.equal((await stat(join(root, 'spool'))).mode & 0o777, 0o700);
  });

  test('of an ended process is removed at the next start', async (t) => {
    const { root, blobs, create } = await open(t);
    const log = createLog({ level: 'silent', format: 'json' });
    await removeLeftSpoolFiles({ blobs, log }, Date.now());
    const left = await create();
    await utimes(left, 1000, 1000);
    const used = await create();
    await removeLeftSpoolFiles({ blobs, log }, Date.now() - 60_000);
    assert.deepEqual(await readdir(join(root, 'spool')), [used.slice(used.lastIndexOf('/') + 1)]);
  });

  test('is not created on a volume that is no longer mounted', async (t) => {
    const { root, blobs, create } = await open(t);
    await blobs.writeIdentity('the store');
    await blobs.readIdentity();
    await rm(join(root, 'porter-store-id'));
    await assert.rejects(async () => create(), { name: 'BlobError' });
    assert.deepEqual(await readdir(root), []);
  });
});
