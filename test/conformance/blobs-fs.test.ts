import { mkdtemp, readFile, rm } from 'node:fs/promises';
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
    return {
      store,
      readFile: (file) => readFile(join(folder, 'blobs', file)),
      close: () => rm(folder, { recursive: true }),
    };
  });
}
