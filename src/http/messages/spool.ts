import { createHash } from 'node:crypto';
import { type FileHandle, open, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createSharedLimit, type SharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

/** A part of a form, or a body of unknown length, received completely and not stored yet. */
export interface SpooledBytes {
  readonly size: number;
  /** Base64 SHA-256. */
  readonly sha256: string;
  /** The file with the bytes, if it can be linked into the blob store. */
  readonly path: string | undefined;
  /** Returns a stream of all bytes. May be called once. */
  read(): Readable;
  /** Frees memory and disk space. Must always be called. */
  discard(): Promise<void>;
}

/**
 * Limits the requests whose bytes are kept at the same time, because each may keep a file of the largest size on disk until it
 * is complete. The keys of a request are its network and its sender.
 */
export function createSpoolLimit(): SharedLimit {
  return createSharedLimit(MAX_OPEN, MAX_OPEN_PER_KEY);
}

const MAX_OPEN = 64;
const MAX_OPEN_PER_KEY = 16;
/** Milliseconds. A request that takes longer fails, so that others are admitted. */
export const SPOOL_TIMEOUT_MS = 30 * 60_000;

/** Larger parts are written to a file. */
const MAX_IN_MEMORY = 64 * 1024;

/** Creates an empty file in the blob store; see `BlobStore.createSpoolFile`. */
export type CreateSpoolFile = () => Promise<string>;

/** A file that is being received. `path`: undefined if it has no name. */
interface SpoolFile {
  readonly handle: FileHandle;
  readonly path: string | undefined;
}

/**
 * Keeps bytes whose number is known only at their end: up to 64 KiB in memory, more in a file. Calls `check` with the number of
 * bytes received so far; `check` throws if they are too many. Without `createFile`, the file is a temporary one without a name,
 * which does not survive a crash of this process.
 */
export async function spool(
  chunks: AsyncIterable<Uint8Array>,
  check: (size: number) => void,
  createFile: CreateSpoolFile | undefined,
): Promise<SpooledBytes> {
  const hash = createHash('sha256');
  const held: Uint8Array[] = [];
  let size = 0;
  let file: SpoolFile | undefined;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      check(size);
      hash.update(chunk);
      held.push(chunk);
      if (size <= MAX_IN_MEMORY) continue;
      file ??= await openSpoolFile(createFile);
      await file.handle.appendFile(Buffer.concat(held.splice(0)));
    }
  } catch (error) {
    await discard(file);
    throw toSpoolError(error);
  }
  return {
    size,
    sha256: hash.digest('base64'),
    path: file?.path,
    read: () => file?.handle.createReadStream({ start: 0, autoClose: false }) ?? Readable.from(held),
    discard: () => discard(file),
  };
}

async function openSpoolFile(createFile: CreateSpoolFile | undefined): Promise<SpoolFile> {
  if (createFile) {
    const path = await createFile();
    return { handle: await open(path, 'r+'), path };
  }
  const path = join(tmpdir(), `porter-${randomId()}`);
  const handle = await open(path, 'wx+', 0o600);
  await unlink(path);
  return { handle, path: undefined };
}

async function discard(file: SpoolFile | undefined): Promise<void> {
  await file?.handle.close();
  if (file?.path !== undefined) await rm(file.path, { force: true });
}

function toSpoolError(error: unknown): unknown {
  const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new Refusal('storage_full', { cause: error }) : error;
}
