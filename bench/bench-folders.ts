import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folders of one run, removed at its end. */
export interface BenchFolders {
  /** The folder for the files of all servers. */
  readonly folder: string;
  /** Its file system, such as `tmpfs`. */
  readonly fileSystem: string;
  /** A folder on a disk, for `sync: true`; equal to `folder` if that is on a disk. */
  readonly disk: string;
  readonly diskFileSystem: string;
  remove(): Promise<void>;
}

const MEMORY = '/dev/shm';

/** Maximum number of bytes that the cases need at one time. */
const ROOM = 12e9;

/**
 * Creates the folders below `wanted`, or in memory if there is enough space, because the disks of shared machines vary in
 * speed.
 */
export async function createBenchFolders(wanted: string | undefined): Promise<BenchFolders> {
  const parent = wanted ?? ((await hasRoom(MEMORY)) ? MEMORY : tmpdir());
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'porter-bench-'));
  const inMemory = await isInMemory(folder);
  const disk = inMemory ? await mkdtemp(join('/var/tmp', 'porter-bench-')) : folder;
  // This process and its children create their temporary folders there.
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

/** Returns the type of the file system that contains a folder. */
async function kindOf(folder: string): Promise<string> {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const above = mounts
    .map((line) => line.split(' '))
    .filter(([, point = '']) => folder === point || folder.startsWith(point === '/' ? '/' : `${point}/`))
    .toSorted(([, a = ''], [, b = '']) => a.length - b.length);
  return above.at(-1)?.[2] ?? 'unknown file system';
}
