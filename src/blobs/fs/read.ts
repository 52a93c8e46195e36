import type { OpenBlob } from '../contract.ts';
import { close, fstat, isBlobError, openFile, readFully } from './syscalls.ts';

/** Reuses buffers among all downloads. Buffers are smaller when there are many downloads. */
export interface ReadBufferPool {
  beginRead(): void;
  endRead(): void;
  take(): Buffer;
  release(buffer: Buffer): void;
}

const SMALLEST_BUFFER = 16 * 1024;
const LARGEST_BUFFER = 512 * 1024;
/** Maximum number of unused buffers that are kept of each size. */
const MAX_UNUSED = 16;

/** `memory`: bytes for all downloads together. Each download holds two buffers. */
export function createReadBufferPool(memory: number): ReadBufferPool {
  const unused = new Map<number, Buffer[]>();
  let readers = 0;
  const currentSize = () => {
    let size = LARGEST_BUFFER;
    while (size > SMALLEST_BUFFER && size * 2 * readers > memory) size /= 2;
    return size;
  };
  return {
    beginRead() {
      readers += 1;
    },
    endRead() {
      readers -= 1;
    },
    take() {
      const size = currentSize();
      return unused.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    },
    release(buffer) {
      const same = unused.get(buffer.length) ?? [];
      if (same.length < MAX_UNUSED) same.push(buffer);
      unused.set(buffer.length, same);
    },
  };
}

/** Opens a file for reading. Returns undefined if it does not exist. */
export async function openBlob(path: string, buffers: ReadBufferPool): Promise<OpenBlob | undefined> {
  const fd = await openFile(path).catch((error) => {
    if (isBlobError(error, 'missing')) return undefined;
    throw error;
  });
  if (fd === undefined) return undefined;
  try {
    const { size } = await fstat(fd);
    return { size, read: (start, end) => readRange(fd, start, end, buffers), close: () => close(fd) };
  } catch (error) {
    await close(fd);
    throw error;
  }
}

/** Reads a short range into one buffer of its size, and a longer range through the shared buffers. */
async function* readRange(fd: number, start: number, end: number, buffers: ReadBufferPool) {
  if (end - start > SMALLEST_BUFFER * 4) {
    yield* readAhead(fd, start, end, buffers);
  } else if (end > start) {
    const whole = Buffer.allocUnsafeSlow(end - start);
    await readFully(fd, whole, start);
    yield whole;
  }
}

/** Fills the next buffer while the reader uses the current one. Releases a buffer once the reader asks for the next. */
async function* readAhead(fd: number, start: number, end: number, buffers: ReadBufferPool) {
  const fill = async (position: number) => {
    const buffer = buffers.take();
    const part = buffer.subarray(0, Math.min(buffer.length, end - position));
    await readFully(fd, part, position);
    return { buffer, part };
  };
  let next: ReturnType<typeof fill> | undefined;
  buffers.beginRead();
  try {
    next = fill(start);
    for (let position = start; position < end; ) {
      const { buffer, part } = await next;
      position += part.length;
      if (position < end) {
        next = fill(position);
        next.catch(() => undefined);
      }
      yield part;
      buffers.release(buffer);
    }
  } finally {
    // The descriptor may be closed next, so no read may be running.
    await next?.catch(() => undefined);
    buffers.endRead();
  }
}
