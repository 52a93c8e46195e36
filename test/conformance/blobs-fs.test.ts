import { mkdir, mkdtemp, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFsBlobs } from '../../src/blobs/fs/fs-blobs.ts';
import { blobStoreSuite } from './blobs.ts';

const settings = [
  ['a folder', { sync: true }],
  ['a folder without fsync', { sync: false }],
  ['a folder that a web server reads', { sync: true, atomic: true }],
] as const;

for (const [name, options] of settings) {
  blobStoreSuite(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-blobs-'));
    const store = openFsBlobs({ root: join(folder, 'blobs'), ...options });
    /** Replaces a file with a folder, which no user can unlink. */
    const protect = async (key: string) => {
      const file = join(folder, 'blobs', key);
      await rename(file, join(folder, 'kept'));
      await mkdir(file);
      return async () => {
        await rmdir(file);
        await rename(join(folder, 'kept'), file);
      };
    };
    return {
      store,
      protect,
      readFile: (file) => readFile(join(folder, 'blobs', file)),
      close: () => rm(folder, { recursive: true }),
    };
  });
}
