import * as fs from 'node:fs';
import { BlobError, type BlobErrorKind } from '../contract.ts';

/*
 * System calls on plain file descriptors, named after `node:fs`. Each is one task of the thread pool. Unlike `FileHandle`,
 * they leave nothing to the garbage collector. Every error is a `BlobError`.
 */

const KINDS: Readonly<Record<string, BlobErrorKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EEXIST: 'exists',
};

/** Converts a system error. The message names the code and the system call, but no path, because end users may see it. */
export function toBlobError(cause: unknown): BlobError {
  if (cause instanceof BlobError) return cause;
  const { code = 'unknown', syscall = 'call' } = cause as NodeJS.ErrnoException;
  return new BlobError(KINDS[code] ?? 'failed', `The blob store failed: ${code} at ${syscall}.`, cause);
}

export const isBlobError = (error: unknown, kind: BlobErrorKind): boolean =>
  error instanceof BlobError && error.kind === kind;

/** Returns a handler for `catch` that ignores errors of one kind, and throws all others. */
export const ignoring =
  (kind: 'missing' | 'exists') =>
  (error: unknown): undefined => {
    if (!isBlobError(error, kind)) throw error;
  };

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(toBlobError(error));
      else resolve(value);
    });
  });
}

const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** Fails with `exists` if the path exists. */
export const createFile = (path: string) =>
  call<number>((done) => fs.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o666, done));
/** Writes go to the end of the file. */
export const openForAppend = (path: string) =>
  call<number>((done) => fs.open(path, O_WRONLY | O_APPEND | O_NOFOLLOW, done));
export const openOrCreateForAppend = (path: string) =>
  call<number>((done) => fs.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o666, done));
export const truncate = (fd: number, size: number) =>
  call<void>((done) => fs.ftruncate(fd, size, (error) => done(error)));
export const openFile = (path: string) => call<number>((done) => fs.open(path, O_RDONLY | O_NOFOLLOW, done));
/** Does not follow symbolic links, and does not block on pipes and devices. */
export const openRegularFile = async (path: string) => {
  const fd = await call<number>((done) => fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, done));
  const isFile = await fstat(fd).then(
    (stats) => stats.isFile(),
    () => false,
  );
  if (isFile) return fd;
  await close(fd);
  throw new BlobError('failed', 'Not a regular file.');
};
export const link = (from: string, to: string) =>
  call<void>((done) => fs.link(from, to, (error) => done(error)));
export const close = (fd: number) => call<void>((done) => fs.close(fd, (error) => done(error ?? null)));
export const unlink = (path: string) => call<void>((done) => fs.unlink(path, (error) => done(error)));
export const rename = (from: string, to: string) =>
  call<void>((done) => fs.rename(from, to, (error) => done(error)));
export const mkdir = (path: string, mode = 0o777) =>
  call<void>((done) => fs.mkdir(path, mode, (error) => done(error)));
export const fstat = (fd: number) => call<fs.Stats>((done) => fs.fstat(fd, done));
export const lstat = (path: string) => call<fs.Stats>((done) => fs.lstat(path, done));
export const readdir = (path: string) =>
  call<fs.Dirent[]>((done) => fs.readdir(path, { withFileTypes: true }, done));

/** Flushes the bytes of a file, and the metadata needed to read them, to disk. */
export const fdatasync = (fd: number) => call<void>((done) => fs.fdatasync(fd, (error) => done(error)));

/** Flushes the entries of a folder to disk. Ignores file systems that do not support it (EINVAL). */
export async function fsyncFolder(folder: string): Promise<void> {
  const fd = await call<number>((done) => fs.open(folder, O_RDONLY | O_DIRECTORY, done));
  try {
    await call<void>((done) => fs.fsync(fd, (error) => done(error?.code === 'EINVAL' ? null : error)));
  } finally {
    await close(fd);
  }
}

/** Fills `target` with the bytes at `position`. Fails if the file is shorter. */
export async function readFully(fd: number, target: Buffer, position: number): Promise<void> {
  let filled = 0;
  while (filled < target.length) {
    const count = await call<number>((done) =>
      fs.read(fd, target, filled, target.length - filled, position + filled, done),
    );
    if (count === 0) throw new BlobError('failed', 'The blob has become shorter since it was opened.');
    filled += count;
  }
}

/** Appends all chunks and returns their size. Repeats the call if the system writes only a part. */
export async function appendAll(fd: number, chunks: readonly Uint8Array[]): Promise<number> {
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  let left = total - (await writeSome(fd, chunks));
  while (left > 0) left -= await writeSome(fd, dropBytes(chunks, total - left));
  return total;
}

function writeSome(fd: number, chunks: readonly Uint8Array[]): Promise<number> {
  const [only] = chunks;
  if (chunks.length === 1 && only) return call<number>((done) => fs.write(fd, only, done));
  return call<number>((done) => fs.writev(fd, chunks as Uint8Array[], done));
}

/** Returns the chunks without their first `count` bytes. */
function dropBytes(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}
