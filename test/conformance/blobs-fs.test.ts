import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fsBlobs } from '../../src/blobs/fs.ts';
import { blobsSuite } from './blobs.ts';

const settings = [
  ['a folder', { sync: true }],
  ['a folder without fsync', { sync: false }],
  ['a folder that a web server reads', { sync: true, atomic: true }],
] as const;

for (const [name, options] of settings) {
  blobsSuite(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-blobs-'));
    const blobs = fsBlobs({ root: join(folder, 'blobs'), ...options });
    return { blobs, close: () => rm(folder, { recursive: true }) };
  });
}
