import { createHash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

/** Bytes that have come whole and wait to be stored. */
export interface SpooledBytes {
  readonly size: number;
  /** Base64 SHA-256. */
  readonly sha256: string;
  /** All of them, once. */
  read(): Readable;
  /** Must be called in every case. */
  discard(): Promise<void>;
}

/** What comes beyond goes to a file. */
const IN_MEMORY = 64 * 1024;

/**
 * Keeps bytes whose number nobody knows before their end; `check` is told the number as they come and may throw.
 * The file has no name from the first moment on, so that nothing is left of it whatever happens to this process.
 */
export async function spool(
  chunks: AsyncIterable<Uint8Array>,
  check: (size: number) => void,
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
      if (size <= IN_MEMORY) continue;
      file ??= await openNameless();
      await file.appendFile(Buffer.concat(held.splice(0)));
    }
  } catch (error) {
    await file?.close();
    throw fullOr(error);
  }
  return {
    size,
    sha256: hash.digest('base64'),
    read: () => file?.createReadStream({ start: 0, autoClose: false }) ?? Readable.from(held),
    discard: async () => file?.close(),
  };
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `porter-${randomId()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

function fullOr(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new Refusal('storage_full', { cause: error }) : error;
}
