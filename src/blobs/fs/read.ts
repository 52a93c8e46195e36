import type { OpenBlob } from '../contract.ts';
import { close, fstat, isBlobError, openFile, readFully } from './syscalls.ts';

/** Buffers for all downloads in flight: used again and again, smaller when there are many. */
export interface ReadBufferPool {
  beginRead(): void;
  endRead(): void;
  take(): Buffer;
  release(buffer: Buffer): void;
}

const SMALLEST = 16 * 1024;
const LARGEST = 512 * 1024;
const KEPT = 16;

/** `memory`: bytes that the downloads together may hold, two buffers each. */
export function createReadBufferPool(memory: number): ReadBufferPool {
  const kept = new Map<number, Buffer[]>();
  let readers = 0;
  const sizeNow = () => {
    let size = LARGEST;
    while (size > SMALLEST && size * 2 * readers > memory) size /= 2;
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
      const size = sizeNow();
      return kept.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    },
    release(buffer) {
      const same = kept.get(buffer.length) ?? [];
      if (same.length < KEPT) same.push(buffer);
      kept.set(buffer.length, same);
    },
  };
}

/** Undefined where there is no such file. */
export async function openBlob(path: string, buffers: ReadBufferPool): Promise<OpenBlob | undefined> {
  const fd = await openFile(path).catch((fault) => {
    if (isBlobError(fault, 'missing')) return undefined;
    throw fault;
  });
  if (fd === undefined) return undefined;
  try {
    const { size } = await fstat(fd);
    return { size, read: (start, end) => readRange(fd, start, end, buffers), close: () => close(fd) };
  } catch (fault) {
    await close(fd);
    throw fault;
  }
}

/** A range that fits one buffer is read whole into one of its own size; longer ones go through the shared ones. */
async function* readRange(fd: number, start: number, end: number, buffers: ReadBufferPool) {
  if (end - start > SMALLEST * 4) {
    yield* readAhead(fd, start, end, buffers);
  } else if (end > start) {
    const whole = Buffer.allocUnsafeSlow(end - start);
    await readFully(fd, whole, start);
    yield whole;
  }
}

/** While the reader has one buffer, the next is being filled. A buffer goes back only when nobody can hold it. */
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
    // The descriptor may be closed next: no read may be under way then.
    await next?.catch(() => undefined);
    buffers.endRead();
  }
}
