import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Folders of one run, gone at its end. */
export interface BenchFolders {
  /** Where all servers keep their files. */
  readonly folder: string;
  /** Kind of its file system, e.g. `tmpfs`. */
  readonly fileSystem: string;
  /** On a disk, for `sync: true`; the same folder where that is on a disk. */
  readonly disk: string;
  readonly diskFileSystem: string;
  remove(): Promise<void>;
}

const MEMORY = '/dev/shm';

/** Bytes that all cases together may take for a moment. */
const ROOM = 12e9;

/**
 * In memory where there is room for it: disks of shared machines differ from minute to minute. `wanted` is taken as
 * it is.
 */
export async function createBenchFolders(wanted: string | undefined): Promise<BenchFolders> {
  const parent = wanted ?? ((await hasRoom(MEMORY)) ? MEMORY : tmpdir());
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'porter-bench-'));
  const inMemory = await isInMemory(folder);
  const disk = inMemory ? await mkdtemp(join('/var/tmp', 'porter-bench-')) : folder;
  // Whoever asks for a temporary folder from now on, child or not, gets one in there.
  process.env.TMPDIR = folder;
  return {
    folder,
    fileSystem: await kindOf(folder),
    disk,
    diskFileSystem: await kindOf(disk),
    async remove() {
      await rm(folder, { recursive: true, force: true });
      await rm(disk, { recursive: true, force: true });
    },
  };
}

async function hasRoom(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize > ROOM;
}

const TMPFS = 0x01021994;

async function isInMemory(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === TMPFS;
}

/** From the longest mount point above it. */
async function kindOf(folder: string): Promise<string> {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const above = mounts
    .map((line) => line.split(' '))
    .filter(([, point = '']) => folder === point || folder.startsWith(point === '/' ? '/' : `${point}/`))
    .toSorted(([, a = ''], [, b = '']) => a.length - b.length);
  return above.at(-1)?.[2] ?? 'unknown file system';
}
