import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BlobError, type BlobStore } from '../../blobs/contract.ts';

export type StoreFileResult =
  | {
      readonly size: number;
      /** True if the blob is a hard link to the original file. */
      readonly linked: boolean;
    }
  | { readonly problem: string };

const CHUNK = 1024 * 1024;

/**
 * Stores a file as a blob, by a hard link if possible, else as a copy. Returns a problem if this file cannot be read. Throws
 * if the store fails.
 */
export async function storeFile(blobs: BlobStore, key: string, file: string): Promise<StoreFileResult> {
  try {
    const linked = await blobs.linkFile?.(key, file);
    if (linked !== undefined) return { size: linked, linked: true };
    return { size: await blobs.put(key, chunksOf(file)), linked: false };
  } catch (error) {
    const problem = describeProblem(error);
    if (problem === undefined) throw error;
    return { problem };
  }
}

class UnreadableFileError extends Error {}

/** Yields the bytes of a file. Does not follow symbolic links, and does not block on pipes. */
async function* chunksOf(file: string): AsyncGenerator<readonly Uint8Array[]> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    for await (const chunk of handle.createReadStream({ highWaterMark: CHUNK })) yield [chunk as Buffer];
  } catch (cause) {
    throw new UnreadableFileError('The file cannot be read.', { cause });
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'it no longer exists',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'it is a symbolic link',
  EISDIR: 'it is a folder',
};

/** Returns the problem with this file, in words. Undefined if the store itself has failed. */
function describeProblem(error: unknown): string | undefined {
  const { code, syscall } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  if (error instanceof UnreadableFileError) return PROBLEMS[code ?? ''] ?? `it cannot be read (${code})`;
  // `linkFile` opens only the original file.
  const isSource = error instanceof BlobError && error.kind !== 'full' && syscall === 'open';
  return isSource ? PROBLEMS[code ?? ''] : undefined;
}
