import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BlobError, type BlobStore } from '../../blobs/contract.ts';

export type StoreFileResult =
  | {
      readonly size: number /** Does it share its bytes with the old service's file? */;
      readonly linked: boolean;
    }
  | { readonly problem: string };

const CHUNK = 1024 * 1024;

/** Brings a file's bytes under a key: linked where that is possible, else copied. A store that fails ends the import. */
export async function storeFile(blobs: BlobStore, key: string, file: string): Promise<StoreFileResult> {
  try {
    const linked = await blobs.linkFile?.(key, file);
    if (linked !== undefined) return { size: linked, linked: true };
    return { size: await blobs.put(key, chunksOf(file)), linked: false };
  } catch (fault) {
    const problem = problemOf(fault);
    if (problem === undefined) throw fault;
    return { problem };
  }
}

class Unreadable extends Error {}

/** A link's target is never read, and nobody waits for the other end of a pipe. */
async function* chunksOf(file: string): AsyncGenerator<readonly Uint8Array[]> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    for await (const chunk of handle.createReadStream({ highWaterMark: CHUNK })) yield [chunk as Buffer];
  } catch (cause) {
    throw new Unreadable('The file cannot be read.', { cause });
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'it is gone',
  EACCES: 'it may not be read by this user',
  EPERM: 'it may not be read by this user',
  ELOOP: 'it is a symbolic link',
  EISDIR: 'it is a folder',
};

/** What concerns this one file only, in words; undefined where the store itself has failed. */
function problemOf(fault: unknown): string | undefined {
  const { code, syscall } = ((fault as Error).cause ?? {}) as NodeJS.ErrnoException;
  if (fault instanceof Unreadable) return PROBLEMS[code ?? ''] ?? `it cannot be read (${code})`;
  // The store opens nothing else on its way to a link.
  const isSource = fault instanceof BlobError && fault.kind !== 'full' && syscall === 'open';
  return isSource ? PROBLEMS[code ?? ''] : undefined;
}
