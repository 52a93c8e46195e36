import { BlobError } from '../contract.ts';

/** The bytes of a `put`, in pieces of the length that the taker wants. */
export interface ChunkSource {
  /**
   * Up to `limit` bytes, good until the next call; undefined at the end. One call at a time. Where the size is
   * known, the last bytes come only when the source has said that they are the last.
   */
  next(limit: number): Promise<Uint8Array | undefined>;
  /** The source's own error, where it was the source that failed. */
  failure(): unknown;
  /** Nobody wants the rest. */
  cancel(): void;
}

export function createChunkSource(batches: AsyncIterable<readonly Uint8Array[]>, size?: number): ChunkSource {
  const iterator = batches[Symbol.asyncIterator]();
  let batch: readonly Uint8Array[] = [];
  let place = 0;
  let rest: Uint8Array = new Uint8Array(0);
  let given = 0;
  let failure: unknown;

  /** False at the end. */
  async function refill(): Promise<boolean> {
    while (rest.length === 0) {
      const chunk = batch[place];
      if (chunk !== undefined) {
        rest = chunk;
        place += 1;
        continue;
      }
      const { done, value } = await iterator.next();
      if (done) return false;
      batch = value;
      place = 0;
    }
    return true;
  }

  async function next(limit: number): Promise<Uint8Array | undefined> {
    if (!(await refill())) {
      if (size === undefined || given === size) return undefined;
      throw new BlobError('failed', 'The source has ended before its time.');
    }
    const piece = rest.subarray(0, limit);
    rest = rest.subarray(piece.length);
    given += piece.length;
    if (given !== size) return piece;
    const last = Buffer.from(piece);
    if (await refill()) throw new BlobError('failed', 'The source has more bytes than it said.');
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
      // Not waited for: what it gives up may be a sender that is silent.
      iterator.return?.()?.catch(() => undefined);
    },
  };
}

/** Copies into `target` until it is full or the source ends; returns how much that was. */
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
