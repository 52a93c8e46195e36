import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openFsBlobs } from '../../../../src/blobs/fs/fs-blobs.ts';
import { toBlobError } from '../../../../src/blobs/fs/syscalls.ts';
import { listKeys, newBlobKey, readBlob, toBatches } from '../../../conformance/blobs.ts';

async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-fs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('blobs in a folder', () => {
  test('are files named by their key below a two-character folder', async (t) => {
    const root = await tempFolder(t);
    const key = newBlobKey();
    await openFsBlobs({ root, sync: false }).put(key, toBatches([[Buffer.from('x')]]));
    assert.deepEqual(await readdir(root), [key.slice(0, 2)]);
    assert.deepEqual(await readdir(join(root, key.slice(0, 2))), [key.slice(3)]);
  });

  test('ignore other files and symbolic links', async (t) => {
    const root = await tempFolder(t);
    const key = newBlobKey();
    await mkdir(dirname(join(root, key)), { recursive: true });
    await writeFile(join(root, 'README'), 'mine');
    await writeFile(join(dirname(join(root, key)), 'Not Ours.txt'), 'mine');
    await writeFile(join(root, 'secret'), 'not for you');
    await symlink(join(root, 'secret'), join(root, key));
    const blobs = openFsBlobs({ root, sync: false });
    assert.deepEqual(await listKeys(blobs), []);
    await assert.rejects(blobs.open(key), { name: 'BlobError' });
  });

  test('with atomic never appear before they are complete', async (t) => {
    const root = await tempFolder(t);
    const blobs = openFsBlobs({ root, sync: false, atomic: true });
    const key = newBlobKey();
    async function* looking() {
      yield [Buffer.from('first')];
      assert.equal(await blobs.open(key), undefined);
      assert.deepEqual(await listKeys(blobs), [`${key}.part`]);
      yield [Buffer.from(' second')];
    }
    await blobs.put(key, looking());
    assert.deepEqual(await listKeys(blobs), [key]);
    assert.equal(String(await readBlob(blobs, key)), 'first second');
  });

  test('remove the unfinished file together with the key', async (t) => {
    const root = await tempFolder(t);
    const blobs = openFsBlobs({ root, sync: false, atomic: true });
    const key = newBlobKey();
    await mkdir(dirname(join(root, key)), { recursive: true });
    await writeFile(join(root, `${key}.part`), 'left by a killed process');
    await blobs.remove([key]);
    assert.deepEqual(await listKeys(blobs), []);
  });

  test('of a newer attempt survive the clean-up of an older, aborted one', async (t) => {
    const root = await tempFolder(t);
    const blobs = openFsBlobs({ root, sync: false });
    const key = newBlobKey();
    async function* overtaken() {
      yield [Buffer.from('old')];
      await blobs.put(key, toBatches([[Buffer.from('new')]]));
      throw new Error('the old attempt wakes up and fails');
    }
    await assert.rejects(blobs.put(key, overtaken()), /wakes up/);
    assert.equal(String(await readBlob(blobs, key)), 'new');
  });

  test('report the free space', async (t) => {
    const space = await openFsBlobs({ root: await tempFolder(t), sync: false }).space();
    assert.ok(space && space.free > 0 && space.total >= space.free);
  });

  test('are not writable if their folder is missing, and the error does not name it', async (t) => {
    const root = join(await tempFolder(t), 'blobs');
    const blobs = openFsBlobs({ root, sync: false });
    await rm(root, { recursive: true });
    await assert.rejects(blobs.checkWritable(), (fault: Error) => {
      assert.equal(fault.name, 'BlobError');
      assert.ok(!fault.message.includes(root));
      return true;
    });
    await assert.rejects(blobs.put(newBlobKey(), toBatches([[Buffer.from('x')]])), { kind: 'missing' });
  });

  test('leave no test file if it cannot be closed, as on a full network file system', async (t) => {
    const root = await tempFolder(t);
    const blobs = openFsBlobs({ root, sync: false });
    const { close } = fs;
    const full = Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'close' });
    t.mock.method(fs, 'close', (fd: number, done: fs.NoParamCallback) => close(fd, () => done(full)));
    syncBuiltinESMExports();
    try {
      await assert.rejects(blobs.checkWritable(), { kind: 'full' });
    } finally {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    }
    assert.deepEqual(await readdir(root), []);
  });

  test('convert system errors to error kinds', () => {
    const kindOf = (code: string) =>
      toBlobError(Object.assign(new Error('secret path'), { code, syscall: 'write' })).kind;
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) assert.equal(kindOf(code), 'full');
    for (const code of ['EACCES', 'EPERM', 'EROFS']) assert.equal(kindOf(code), 'denied');
    assert.equal(kindOf('ENOENT'), 'missing');
    assert.equal(kindOf('EIO'), 'failed');
  });

  test('of one folder share fsync calls and all complete', async (t) => {
    const blobs = openFsBlobs({ root: await tempFolder(t), sync: true, maxConcurrentSyncs: 1 });
    const keys = Array.from({ length: 60 }, () => `zz/${newBlobKey().slice(3)}`);
    await Promise.all(keys.map((key) => blobs.put(key, toBatches([[Buffer.from(key)]]))));
    assert.deepEqual((await listKeys(blobs)).toSorted(), keys.toSorted());
  });
});
