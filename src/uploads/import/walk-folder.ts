import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** A regular file on disk. */
export interface FileOnDisk {
  readonly path: string;
  readonly size: number;
  /** ms since 1970. */
  readonly modifiedAt: number;
}

/** Returns undefined if the path is missing or not a regular file. Does not follow symbolic links. */
export async function statFile(path: string): Promise<FileOnDisk | undefined> {
  const stats = await lstat(path).catch(ignoreMissing);
  if (!stats?.isFile()) return undefined;
  return { path, size: stats.size, modifiedAt: Math.floor(stats.mtimeMs) };
}

export async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(ignoreMissing))?.isDirectory() ?? false;
}

/** Yields the files and folders in a folder, in any order. Yields nothing if the folder is missing. */
export async function* listFolder(folder: string): AsyncGenerator<{ name: string; kind: 'file' | 'folder' }> {
  const entries = await opendir(folder, { bufferSize: 256 }).catch(ignoreMissing);
  if (entries === undefined) return;
  for await (const entry of entries) {
    if (entry.isDirectory()) yield { name: entry.name, kind: 'folder' };
    else if (entry.isFile()) yield { name: entry.name, kind: 'file' };
  }
}

/** No service nests its folders deeper. */
const MAX_DEPTH = 32;

/** Yields every regular file below a folder, with the path segments that lead to it. */
export async function* walkFiles(
  folder: string,
  above: readonly string[] = [],
): AsyncGenerator<FileOnDisk & { readonly names: readonly string[] }> {
  for await (const { name, kind } of listFolder(folder)) {
    const names = [...above, name];
    const path = join(folder, name);
    if (kind === 'folder') {
      if (names.length < MAX_DEPTH) yield* walkFiles(path, names);
      continue;
    }
    const file = await statFile(path);
    if (file) yield { ...file, names };
  }
}

function ignoreMissing(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause;
}
