import { createHash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

/** A part of a form, received completely and not stored yet. */
export interface SpooledBytes {
  readonly size: number;
  /** Base64 SHA-256. */
  readonly sha256: string;
  /** Returns a stream of all bytes. May be called once. */
  read(): Readable;
  /** Frees memory and disk space. Must always be called. */
  discard(): Promise<void>;
}

/** Larger parts are written to a temporary file. */
const MAX_IN_MEMORY = 64 * 1024;

/**
 * Keeps bytes whose number is known only at their end, larger ones in a file in `folder`. Calls `check` with the number
 * received so far; it may throw. The file is unlinked at once, so that it does not survive a crash of this process.
 */
export async function spool(
  chunks: AsyncIterable<Uint8Array>,
  check: (size: number) => void,
  folder: string,
): Promise<SpooledBytes> {
  const hash = createHash('sha256');
  const held: Uint8Array[] = [];
  let size = 0;
  let file: FileHandle | undefined;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      check(size);
      hash.update(chunk);
      held.push(chunk);
      if (size <= MAX_IN_MEMORY) continue;
      file ??= await openUnlinkedFile(folder);
      await file.appendFile(Buffer.concat(held.splice(0)));
    }
  } catch (error) {
    await file?.close();
    throw toSpoolError(error);
  }
  return {
    size,
    sha256: hash.digest('base64'),
    read: () => file?.createReadStream({ start: 0, autoClose: false }) ?? Readable.from(held),
    discard: async () => file?.close(),
  };
}

async function openUnlinkedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `porter-${randomId()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

function toSpoolError(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new Refusal('storage_full', { cause: error }) : error;
}
