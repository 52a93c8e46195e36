import { BlobError } from '../contract.ts';

/** The bytes of a `put`, in pieces of the length that the reader asks for. */
export interface ChunkSource {
  /**
   * Returns up to `limit` bytes, valid until the next call, or undefined at the end. One call at a time. If the size is
   * known, the last bytes are returned only after the source has ended, so that an oversized body is never stored.
   */
  next(limit: number): Promise<Uint8Array | undefined>;
  /** Returns the error of the source, if the source failed. */
  failure(): unknown;
  /** Stops reading. */
  cancel(): void;
}

/** `size`: number of bytes that the batches must have; undefined if unknown. */
export function createChunkSource(batches: AsyncIterable<readonly Uint8Array[]>, size?: number): ChunkSource {
  const iterator = batches[Symbol.asyncIterator]();
  let batch: readonly Uint8Array[] = [];
  let position = 0;
  let rest: Uint8Array = new Uint8Array(0);
  let delivered = 0;
  let failure: unknown;

  /** Returns false at the end. */
  async function refill(): Promise<boolean> {
    while (rest.length === 0) {
      const chunk = batch[position];
      if (chunk !== undefined) {
        rest = chunk;
        position += 1;
        continue;
      }
      const { done, value } = await iterator.next();
      if (done) return false;
      batch = value;
      position = 0;
    }
    return true;
  }

  async function next(limit: number): Promise<Uint8Array | undefined> {
    if (!(await refill())) {
      if (size === undefined || delivered === size) return undefined;
      throw new BlobError('failed', 'The body ended before its declared size.');
    }
    const piece = rest.subarray(0, limit);
    rest = rest.subarray(piece.length);
    delivered += piece.length;
    if (delivered !== size) return piece;
    const last = Buffer.from(piece);
    if (await refill()) throw new BlobError('failed', 'The body is longer than its declared size.');
    return last;
  }

  return {
    next: (limit) =>
      next(limit).catch((error) => {
        failure = error;
        throw error;
      }),
    failure: () => failure,
    cancel() {
      // Not awaited, because the sender behind the source may be silent.
      iterator.return?.()?.catch(() => undefined);
    },
  };
}

/** Copies into `target` until it is full or the source ends. Returns the number of bytes. */
export async function fillBuffer(source: ChunkSource, target: Buffer): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const piece = await source.next(target.length - filled);
    if (piece === undefined) break;
    target.set(piece, filled);
    filled += piece.length;
  }
  return filled;
}
