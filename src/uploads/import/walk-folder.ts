import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** A regular file as it lies there now. */
export interface FileOnDisk {
  readonly path: string;
  readonly size: number;
  /** ms since 1970. */
  readonly modifiedAt: number;
}

/** Undefined where there is none, or something that is no regular file: links are never followed. */
export async function statFile(path: string): Promise<FileOnDisk | undefined> {
  const stats = await lstat(path).catch(unlessGone);
  if (!stats?.isFile()) return undefined;
  return { path, size: stats.size, modifiedAt: Math.floor(stats.mtimeMs) };
}

export async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(unlessGone))?.isDirectory() ?? false;
}

/** What a folder holds, in no order; nothing where it is not there (any more). */
export async function* listFolder(folder: string): AsyncGenerator<{ name: string; kind: 'file' | 'folder' }> {
  const entries = await opendir(folder, { bufferSize: 256 }).catch(unlessGone);
  if (entries === undefined) return;
  for await (const entry of entries) {
    if (entry.isDirectory()) yield { name: entry.name, kind: 'folder' };
    else if (entry.isFile()) yield { name: entry.name, kind: 'file' };
  }
}

/** No service nests deeper, and no link is that long. */
const DEEPEST = 32;

/** Every regular file below a folder, with the names that lead to it. */
export async function* walkFiles(
  folder: string,
  above: readonly string[] = [],
): AsyncGenerator<FileOnDisk & { readonly names: readonly string[] }> {
  for await (const { name, kind } of listFolder(folder)) {
    const names = [...above, name];
    const path = join(folder, name);
    if (kind === 'folder') {
      if (names.length < DEEPEST) yield* walkFiles(path, names);
      continue;
    }
    const lying = await statFile(path);
    if (lying) yield { ...lying, names };
  }
}

function unlessGone(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause;
}
