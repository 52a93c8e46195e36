import type { Readable } from 'node:stream';
import { Refusal } from '../../base/errors.ts';
import type { MemoryBudget, SizeCheck, UploadBody } from '../../uploads/upload-request.ts';

export interface RequestBodyOptions {
  /** Milliseconds without a byte after which the body fails with `body_idle`. */
  readonly idleTimeoutMs: number;
  /** Milliseconds from the start of reading after which the body fails with `body_slow`; no limit if undefined. */
  readonly totalTimeoutMs?: number | undefined;
  /** `Content-Length`; undefined for a chunked body. */
  readonly contentLength?: number | undefined;
  /** Delivers the bytes that have arrived before a failure, and only then fails. By default they are dropped. */
  readonly keepsArrived?: boolean;
  /** Sends `100 Continue`; set if the client waits for it. */
  readonly sendContinue?: () => void;
}

/** Sends `100 Continue` for each request whose client waits for it and whose body has not been read yet. */
const delayedContinues = new WeakMap<Readable, () => void>();

/** Delays `100 Continue` until the body is read, so that a client that is refused never sends its body. */
export function delayContinue(stream: Readable, sendContinue: () => void): void {
  delayedContinues.set(stream, sendContinue);
}

type Batch = readonly Uint8Array[];
type BatchResult = IteratorResult<Batch, undefined>;

/** Bytes counted per chunk in addition to its length, so that thousands of tiny chunks do not exceed the budget unseen. */
const CHUNK_OVERHEAD = 256;
const EMPTY_BATCH: Batch = [];
const EMPTY = new Uint8Array();

/**
 * Collects the chunks of a request into batches. While the consumer writes one batch, the next is collected; when that is
 * full, the stream is paused. Over the memory budget nothing is collected ahead: received bytes stay in the stream until this
 * body has a slot of the budget.
 *
 * State of the budget slot (`#slot`):
 *
 * | state | meaning | next |
 * |---|---|---|
 * | `none` | no slot; over budget, the stream stays paused | bytes are waiting: `requested` |
 * | `requested` | waits in the queue of the budget | granted: `held`; stopped: `none`, and the grant is released at once |
 * | `held` | may read the stream until the batch is delivered | next batch requested, or stopped: `none`, released |
 */
export class RequestBody implements UploadBody {
  received = 0;
  isComplete = false;
  readonly #stream: Readable;
  readonly #options: RequestBodyOptions;
  #budget: MemoryBudget | undefined;
  #check: SizeCheck = () => undefined;
  #chunks: Uint8Array[] = [];
  /** Size of `#chunks` in bytes, overhead included. */
  #collected = 0;
  /** The batch that the consumer holds until it requests the next one. */
  #delivered: Batch = EMPTY_BATCH;
  /** The consumer's request for the next batch. */
  #pending: PromiseWithResolvers<BatchResult> | undefined;
  #slot: 'none' | 'requested' | 'held' = 'none';
  /** The whole body after `takeWhole`. */
  #whole: Batch | undefined;
  #failure: Error | undefined;
  #lastByteAt = performance.now();
  #idleTimer: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;

  constructor(stream: Readable, options: RequestBodyOptions) {
    this.#stream = stream;
    this.#options = options;
    // Also handles the error of a connection that breaks before `batches` is called.
    stream.on('error', () => this.abort(bodyCut()));
    stream.on('close', () => {
      if (!this.isComplete) this.abort(bodyCut());
    });
    if (stream.destroyed) this.abort(bodyCut());
  }

  accept(): void {
    this.#options.sendContinue?.();
  }

  batches(budget: MemoryBudget, check: SizeCheck): AsyncIterable<Batch> {
    if (this.#whole) return yieldWhole(this.#whole, check);
    this.#budget = budget;
    this.#check = check;
    this.#lastByteAt = performance.now();
    if (!this.#failure) {
      const { idleTimeoutMs, totalTimeoutMs } = this.#options;
      this.#idleTimer = setTimeout(() => this.#onIdle(), idleTimeoutMs);
      if (totalTimeoutMs !== undefined)
        this.#totalTimer = setTimeout(() => this.abort(new Refusal('body_slow')), totalTimeoutMs);
      delayedContinues.get(this.#stream)?.();
      this.#stream.pause();
      this.#stream.on('data', (chunk: Uint8Array) => this.#onData(chunk, budget));
      this.#stream.on('end', () => this.#onEnd());
    }
    if (!budget.isOverBudget()) this.#resume();
    return {
      [Symbol.asyncIterator]: () => ({ next: () => this.#next(budget), return: () => this.#return() }),
    };
  }

  /** Waits for one turn of the event loop: a small body usually comes in the same packet as the head, or in the next one. */
  async takeWhole(limit: number): Promise<Batch | undefined> {
    const { sendContinue, contentLength } = this.#options;
    if (sendContinue !== undefined || contentLength === undefined || contentLength > limit) return undefined;
    if (this.#stream.readableLength < contentLength) await new Promise((resolve) => setImmediate(resolve));
    if (this.#failure || this.#stream.readableLength !== contentLength) return undefined;
    const bytes: Uint8Array | null = contentLength === 0 ? EMPTY : this.#stream.read();
    if (bytes === null) return undefined;
    // Reads the end, so that the connection can be used for the next request.
    this.#stream.resume();
    this.received = bytes.length;
    this.isComplete = true;
    this.#whole = [bytes];
    return this.#whole;
  }

  abort(reason: Error): void {
    if (this.isComplete || this.#failure) return;
    this.#failure = reason;
    if (!this.#options.keepsArrived) this.#chunks = [];
    this.#stop();
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending && this.#chunks.length > 0) pending.resolve(this.#takeArrived());
    else pending?.reject(reason);
  }

  #takeArrived(): BatchResult {
    const value = this.#chunks;
    this.#chunks = [];
    return { done: false, value };
  }

  idleFor(): number {
    return this.isComplete || this.#stream.isPaused() ? 0 : performance.now() - this.#lastByteAt;
  }

  #onData(chunk: Uint8Array, budget: MemoryBudget): void {
    if (this.#failure) return;
    if (this.#slot !== 'held' && budget.isOverBudget()) {
      this.#putBack(chunk, budget);
      return;
    }
    this.received += chunk.length;
    this.#lastByteAt = performance.now();
    if (this.#failsCheck(false)) return;
    this.#chunks.push(chunk);
    this.#collected += chunk.length + CHUNK_OVERHEAD;
    if (this.#collected < budget.batchSize() && this.#slot !== 'held') return;
    if (this.#pending) this.#deliver(this.#pending, budget);
    else this.#stream.pause();
  }

  /** Returns a chunk to the stream. A chunk in the buffer of the stream keeps it from reading more. */
  #putBack(chunk: Uint8Array, budget: MemoryBudget): void {
    this.#lastByteAt = performance.now();
    this.#stream.pause();
    this.#stream.unshift(chunk);
    if (this.#pending && this.#slot === 'none') this.#requestSlot(budget);
  }

  #failsCheck(ended: boolean): boolean {
    const error = this.#check(this.received, ended);
    if (error) this.abort(error);
    return error !== undefined;
  }

  #onEnd(): void {
    if (this.#failure || this.#failsCheck(true)) return;
    this.isComplete = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#totalTimer);
    if (this.#pending && this.#budget) this.#deliver(this.#pending, this.#budget);
  }

  #onIdle(): void {
    const timeLeft = this.#options.idleTimeoutMs - this.idleFor();
    if (timeLeft <= 0) this.abort(new Refusal('body_idle'));
    else this.#idleTimer = setTimeout(() => this.#onIdle(), timeLeft);
  }

  #next(budget: MemoryBudget): Promise<BatchResult> {
    this.#releaseSlot();
    this.#freeDelivered();
    if (this.#failure && this.#chunks.length > 0) return Promise.resolve(this.#takeArrived());
    if (this.#failure) return Promise.reject(this.#failure);
    const pending = Promise.withResolvers<BatchResult>();
    this.#pending = pending;
    if (this.isComplete || this.#collected >= budget.batchSize()) this.#deliver(pending, budget);
    else if (budget.isOverBudget() && this.#stream.isPaused() && this.#stream.readableLength > 0)
      this.#requestSlot(budget);
    else this.#resume();
    return pending.promise;
  }

  /** Called while received bytes wait in the stream. */
  #requestSlot(budget: MemoryBudget): void {
    this.#slot = 'requested';
    budget.acquire(() => {
      if (this.#slot === 'none') {
        budget.release();
        return;
      }
      this.#slot = 'held';
      // Emits `data` with all buffered bytes. At the end of the body there may be only the end to read.
      if (this.#stream.read() === null) this.#resume();
    });
  }

  /** Called if the consumer stops before the end. */
  async #return(): Promise<BatchResult> {
    this.#stop();
    return { done: true, value: undefined };
  }

  #releaseSlot(): void {
    if (this.#slot === 'held') this.#budget?.release();
    this.#slot = 'none';
  }

  /** Resolves the pending request with the collected chunks, or with `done` if there are none. */
  #deliver(pending: PromiseWithResolvers<BatchResult>, budget: MemoryBudget): void {
    this.#pending = undefined;
    if (this.#chunks.length === 0) {
      this.#stop();
      pending.resolve({ done: true, value: undefined });
      return;
    }
    const value = this.#chunks;
    this.#delivered = value;
    this.#chunks = [];
    this.#collected = 0;
    if (budget.isOverBudget()) this.#stream.pause();
    else this.#resume();
    pending.resolve({ done: false, value });
  }

  #resume(): void {
    if (!this.#stream.isPaused()) return;
    this.#lastByteAt = performance.now();
    this.#stream.resume();
  }

  #freeDelivered(): void {
    for (const chunk of this.#delivered) freeMemory(chunk);
    this.#delivered = EMPTY_BATCH;
  }

  #stop(): void {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#totalTimer);
    this.#releaseSlot();
  }
}

async function* yieldWhole(whole: Batch, check: SizeCheck): AsyncGenerator<Batch> {
  const size = whole.reduce((sum, chunk) => sum + chunk.length, 0);
  const error = check(size, true);
  if (error) throw error;
  if (size > 0) yield whole;
}

const bodyCut = () => new Refusal('body_cut');

/**
 * Frees the memory of a chunk at once. The garbage collector sees only the small object that refers to it and would let
 * hundreds of megabytes accumulate during uploads.
 */
function freeMemory(chunk: Uint8Array): void {
  const memory = chunk.buffer;
  if (memory instanceof ArrayBuffer && chunk.byteLength === memory.byteLength) memory.transfer(0);
}
