import assert from 'node:assert/strict';
import { chmod, chown, link, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openFsBlobs } from '../../../../src/blobs/fs/fs-blobs.ts';

const KEY = 'ab/abcdef.jpg';
const isRoot = process.getuid?.() === 0;

async function open(t: TestContext, options: { atomic?: boolean; sync?: boolean } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-link-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'blobs');
  const blobs = openFsBlobs({ root, sync: false, ...options });
  const source = join(folder, 'source');
  await writeFile(source, 'the bytes');
  const linkFile = (key = KEY) => blobs.linkFile?.(key, source);
  return { folder, root, blobs, source, linkFile };
}

describe('a file that is linked into the store', () => {
  test('is not copied, and stays when the original name is removed', async (t) => {
    const { root, blobs, source, linkFile } = await open(t, { sync: true });
    assert.equal(await linkFile(), 9);
    assert.equal((await stat(join(root, KEY))).ino, (await stat(source)).ino);
    await rm(source);
    const blob = (await blobs.open(KEY)) ?? assert.fail();
    const bytes = await Array.fromAsync(blob.read(0, blob.size));
    await blob.close();
    assert.equal(Buffer.concat(bytes).toString(), 'the bytes');
  });

  test('takes the place of what a killed import left under its key', async (t) => {
    const { root, linkFile } = await open(t);
    await mkdir(join(root, 'ab'));
    await writeFile(join(root, KEY), 'the by');
    assert.equal(await linkFile(), 9);
    assert.equal(await readFile(join(root, KEY), 'utf8'), 'the bytes');
    assert.equal(await linkFile(), 9, 'and once more');
  });

  test('stays under its original name when the blob is removed', async (t) => {
    const { blobs, source, linkFile } = await open(t);
    await linkFile();
    await blobs.remove([KEY]);
    assert.equal(await readFile(source, 'utf8'), 'the bytes');
    assert.equal(await blobs.open(KEY), undefined);
  });

  test('must be copied if the owner of the store could not read it', {
    skip: !isRoot && 'needs root',
  }, async (t) => {
    const { root, source, linkFile } = await open(t);
    await chmod(source, 0o640);
    assert.equal(await linkFile(), 9, 'its own user can');
    await chown(source, 1234, 1234);
    assert.equal(await linkFile('ab/another.jpg'), undefined);
    await assert.rejects(stat(join(root, 'ab/another.jpg')), { code: 'ENOENT' });
    await chmod(source, 0o644);
    assert.equal(await linkFile('ab/another.jpg'), 9, 'everybody can');
  });

  test('must be copied if a web server reads the store and could not read it', async (t) => {
    const { source, linkFile } = await open(t, { atomic: true });
    await chmod(source, 0o640);
    assert.equal(await linkFile(), undefined);
    await chmod(source, 0o644);
    assert.equal(await linkFile(), 9);
  });

  test('must not be a symbolic link, a folder or a missing file', async (t) => {
    const { folder, blobs, source } = await open(t);
    await symlink(source, join(folder, 'symbolic'));
    await link(source, join(folder, 'hard'));
    assert.equal(await blobs.linkFile?.(KEY, join(folder, 'hard')), 9);
    for (const name of ['symbolic', 'nothing', '.']) {
      await assert.rejects(async () => blobs.linkFile?.('ab/other.jpg', join(folder, name)), {
        name: 'BlobError',
      });
    }
    await assert.rejects(async () => blobs.linkFile?.('../outside', source), { name: 'BlobError' });
  });
});

describe('a file that gets its public name', () => {
  const ID = '0123456789abcdefghjkmnpqrs';
  const PUBLIC = `rs/${ID}.jpg`;
  const ATTEMPT = `rs/${ID}aaaaaaaaaaaa.jpg`;

  async function* bytes(text: string) {
    yield [Buffer.from(text)];
  }

  test('has that name only, after any number of calls at once', async (t) => {
    const { root, blobs } = await open(t, { atomic: true, sync: true });
    await blobs.put(ATTEMPT, bytes('winner'));
    await Promise.all(Array.from({ length: 5 }, () => blobs.publish?.(ATTEMPT, PUBLIC)));
    await blobs.publish?.(ATTEMPT, PUBLIC);
    assert.equal(await readFile(join(root, PUBLIC), 'utf8'), 'winner');
    assert.equal(await blobs.size(ATTEMPT), undefined);
  });

  test('is found there although a kill left both names', async (t) => {
    const { root, blobs } = await open(t, { atomic: true });
    await blobs.put(ATTEMPT, bytes('winner'));
    await link(join(root, ATTEMPT), join(root, PUBLIC));
    await blobs.publish?.(ATTEMPT, PUBLIC);
    assert.deepEqual(
      (await Array.fromAsync(blobs.list())).map(({ key }) => key),
      [PUBLIC],
    );
  });

  test('replaces what an attempt of an older Porter left there', async (t) => {
    const { root, blobs } = await open(t, { atomic: true });
    await blobs.put(PUBLIC, bytes('remains'));
    await blobs.put(ATTEMPT, bytes('winner'));
    await blobs.publish?.(ATTEMPT, PUBLIC);
    assert.equal(await readFile(join(root, PUBLIC), 'utf8'), 'winner');
  });

  test('is reported as missing if it exists under neither name', async (t) => {
    const { blobs } = await open(t, { atomic: true });
    await assert.rejects(async () => blobs.publish?.(ATTEMPT, PUBLIC), {
      name: 'BlobError',
      kind: 'missing',
    });
  });
});
