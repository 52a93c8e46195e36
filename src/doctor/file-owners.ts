import { lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/load.ts';
import type { DoctorReport } from './report.ts';

/** The user of the server: the owner of the blob folder, which `porter serve` creates. */
export interface ServiceUser {
  readonly uid: number;
  readonly gids: readonly number[];
}

interface FileMode {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export const READ = 4;
export const READ_WRITE = 6;
/** Permissions to list, create and remove files in a folder. */
const READ_WRITE_SEARCH = 7;

/** The largest number of checked files, spread over all folders. */
const MAX_FILES = 1000;
const FOLDER = /^[0-9a-z]{2}$/;

/** Returns whether the permission bits of a file allow this access (path_resolution(7)). Does not consider ACLs. */
export function mayAccess({ uid, gids }: ServiceUser, file: FileMode, access: number): boolean {
  if (uid === 0) return true;
  const shift = file.uid === uid ? 6 : gids.includes(file.gid) ? 3 : 0;
  return ((file.mode >> shift) & access) === access;
}

interface Found extends FileMode {
  readonly path: string;
}

/**
 * Reports files that the server cannot use because another user owns them. Commands such as `porter import`, `restore` or `cp -a` create
 * such files if they run as root. A doctor that runs as root would not notice them in other checks.
 */
export async function checkFileOwners(
  report: DoctorReport,
  { storage }: Pick<Config, 'storage'>,
): Promise<void> {
  const { blobs, ledger } = storage;
  if (blobs.kind !== 'folder') return;
  const root = await stat(blobs.path);
  if (root === undefined || process.getuid === undefined) return;
  const ownGroups = process.getuid() === root.uid ? (process.getgroups?.() ?? []) : [];
  const user = { uid: root.uid, gids: [root.gid, ...ownGroups] };
  const wrong: string[] = [];
  if (ledger.kind === 'sqlite') wrong.push(...(await findUnusableLedger(user, ledger.path)));
  wrong.push(...(await findUnusableBlobs(user, blobs.path)));
  for (const text of wrong) report.fail('file owners', text);
  if (wrong.length === 0) {
    report.ok(
      'file owners',
      `The owner of ${blobs.path} (uid ${user.uid}) can use the files of the storage.`,
    );
  }
}

async function findUnusableLedger(user: ServiceUser, path: string): Promise<string[]> {
  const files = await Promise.all([path, `${path}-wal`, `${path}-shm`].map(stat));
  const wrong = files
    .filter((file) => file && !mayAccess(user, file, READ_WRITE))
    .filter((file) => file !== undefined);
  const folder = await stat(dirname(path));
  if (folder && !mayAccess(user, folder, READ_WRITE_SEARCH)) wrong.unshift(folder);
  const [first] = wrong;
  if (first === undefined) return [];
  return [
    `${describeOwner(first)}, and uid ${user.uid} cannot write it: the database fails. Run: ${chown(user, first.path)}`,
  ];
}

async function findUnusableBlobs(user: ServiceUser, root: string): Promise<string[]> {
  const folders = await entriesOf(root, FOLDER);
  const perFolder = Math.max(1, Math.floor(MAX_FILES / Math.max(1, folders.length)));
  const wrongFolders = folders.filter((folder) => !mayAccess(user, folder, READ_WRITE_SEARCH));
  const wrongFiles: Found[] = [];
  for (const { path } of folders) {
    const files = await entriesOf(path, /./, perFolder);
    wrongFiles.push(...files.filter((file) => !mayAccess(user, file, READ)));
  }
  const remedy = `Run: ${chown(user, root, '-R ')}`;
  return [
    ...describeWrong(wrongFolders, user, `cannot write it: uploads fail. ${remedy}`),
    ...describeWrong(wrongFiles, user, `cannot read it: downloads fail. ${remedy}`),
  ];
}

function describeWrong(wrong: readonly Found[], { uid }: ServiceUser, consequence: string): string[] {
  const [first, ...others] = wrong;
  if (first === undefined) return [];
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return [`${describeOwner(first)}${more}, and uid ${uid} ${consequence}`];
}

function describeOwner({ path, uid, mode }: Found): string {
  return `${path} belongs to uid ${uid} (mode ${(mode & 0o7777).toString(8)})`;
}

const chown = ({ uid, gids }: ServiceUser, path: string, flags = ''): string =>
  `chown ${flags}${uid}:${gids[0]} ${path}`;

async function entriesOf(folder: string, pattern: RegExp, limit = MAX_FILES * 2): Promise<Found[]> {
  const names = await readdir(folder).catch(() => []);
  const chosen = names.filter((name) => pattern.test(name)).slice(0, limit);
  const found = await Promise.all(chosen.map((name) => stat(join(folder, name))));
  return found.filter((file) => file !== undefined);
}

/** Returns owner and mode of a file. Undefined if it does not exist, or if its folder cannot be read. */
async function stat(path: string): Promise<Found | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found && { path, uid: found.uid, gid: found.gid, mode: found.mode };
}
