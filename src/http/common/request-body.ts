import type { Readable } from 'node:stream';
import { Refusal } from '../../base/errors.ts';
import type { MemoryBudget, SizeCheck, UploadBody } from '../../uploads/upload-request.ts';

export interface RequestBodyOptions {
  /** Milliseconds for which the sender may be silent. */
  readonly idleTimeoutMs: number;
  /** Says `100 Continue`, where the sender waits for it. */
  readonly sendContinue?: () => void;
}

type Batch = readonly Uint8Array[];
type Answer = IteratorResult<Batch, undefined>;

/** What a chunk costs beside its bytes: thousands of tiny ones must not slip under the limit. */
const CHUNK_COST = 256;
const NOTHING: Batch = [];

/**
 * Gathers the chunks of a request into batches. While one batch is being written the next is gathered; when that
 * is full, the sender is held back. In a crowd nothing is gathered ahead, and bytes that have come wait in the
 * stream until it is their turn.
 */
export class RequestBody implements UploadBody {
  received = 0;
  isComplete = false;
  readonly #stream: Readable;
  readonly #options: RequestBodyOptions;
  #pace: MemoryBudget | undefined;
  #check: SizeCheck = () => undefined;
  #chunks: Uint8Array[] = [];
  /** What the chunks cost. */
  #held = 0;
  /** With the caller, who is done with it when it asks for the next. */
  #handed: Batch = NOTHING;
  #waiting: PromiseWithResolvers<Answer> | undefined;
  #turn: 'none' | 'asked' | 'ours' = 'none';
  #failure: Error | undefined;
  #lastByteAt = performance.now();
  #idle: NodeJS.Timeout | undefined;

  constructor(stream: Readable, options: RequestBodyOptions) {
    this.#stream = stream;
    this.#options = options;
    // Also gives the error of a connection that breaks before anybody reads an owner.
    stream.on('error', () => this.abort(bodyCut()));
    stream.on('close', () => {
      if (!this.isComplete) this.abort(bodyCut());
    });
    if (stream.destroyed) this.abort(bodyCut());
  }

  accept(): void {
    this.#options.sendContinue?.();
  }

  batches(pace: MemoryBudget, check: SizeCheck): AsyncIterable<Batch> {
    this.#pace = pace;
    this.#check = check;
    this.#lastByteAt = performance.now();
    if (!this.#failure) {
      this.#idle = setTimeout(() => this.#onIdle(), this.#options.idleTimeoutMs);
      this.#stream.pause();
      this.#stream.on('data', (chunk: Uint8Array) => this.#onData(chunk, pace));
      this.#stream.on('end', () => this.#onEnd());
    }
    if (!pace.isOverBudget()) this.#resume();
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next(pace), return: () => this.#leave() }) };
  }

  abort(reason: Error): void {
    if (this.isComplete || this.#failure) return;
    this.#failure = reason;
    this.#chunks = [];
    this.#stop();
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  idleFor(): number {
    return this.isComplete || this.#stream.isPaused() ? 0 : performance.now() - this.#lastByteAt;
  }

  #onData(chunk: Uint8Array, pace: MemoryBudget): void {
    if (this.#failure) return;
    if (this.#turn !== 'ours' && pace.isOverBudget()) {
      this.#putBack(chunk, pace);
      return;
    }
    this.received += chunk.length;
    this.#lastByteAt = performance.now();
    if (this.#isWrong(false)) return;
    this.#chunks.push(chunk);
    this.#held += chunk.length + CHUNK_COST;
    if (this.#held < pace.batchSize() && this.#turn !== 'ours') return;
    if (this.#waiting) this.#deliver(this.#waiting, pace);
    else this.#stream.pause();
  }

  /** What came while the stream flowed waits in there like all else: it keeps the next read from coming. */
  #putBack(chunk: Uint8Array, pace: MemoryBudget): void {
    this.#lastByteAt = performance.now();
    this.#stream.pause();
    this.#stream.unshift(chunk);
    if (this.#waiting && this.#turn === 'none') this.#askForTurn(pace);
  }

  #isWrong(ended: boolean): boolean {
    const wrong = this.#check(this.received, ended);
    if (wrong) this.abort(wrong);
    return wrong !== undefined;
  }

  #onEnd(): void {
    if (this.#failure || this.#isWrong(true)) return;
    this.isComplete = true;
    clearTimeout(this.#idle);
    if (this.#waiting && this.#pace) this.#deliver(this.#waiting, this.#pace);
  }

  #onIdle(): void {
    const left = this.#options.idleTimeoutMs - this.idleFor();
    if (left <= 0) this.abort(new Refusal('body_idle'));
    else this.#idle = setTimeout(() => this.#onIdle(), left);
  }

  #next(pace: MemoryBudget): Promise<Answer> {
    this.#endTurn();
    this.#recycle();
    if (this.#failure) return Promise.reject(this.#failure);
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting = waiting;
    if (this.isComplete || this.#held >= pace.batchSize()) this.#deliver(waiting, pace);
    else if (pace.isOverBudget() && this.#stream.isPaused() && this.#stream.readableLength > 0)
      this.#askForTurn(pace);
    else this.#resume();
    return waiting.promise;
  }

  /** Bytes have come and lie in the stream. */
  #askForTurn(pace: MemoryBudget): void {
    this.#turn = 'asked';
    pace.acquire(() => {
      if (this.#turn === 'none') {
        pace.release();
        return;
      }
      this.#turn = 'ours';
      // Emits `data` with all that lies there; at the end of the body there may be nothing but the end.
      if (this.#stream.read() === null) this.#resume();
    });
  }

  /** Nobody wants the rest. */
  async #leave(): Promise<Answer> {
    this.#stop();
    return { done: true, value: undefined };
  }

  #endTurn(): void {
    if (this.#turn === 'ours') this.#pace?.release();
    this.#turn = 'none';
  }

  /** Hands over what has been gathered, or says that this was all. */
  #deliver(waiting: PromiseWithResolvers<Answer>, pace: MemoryBudget): void {
    this.#waiting = undefined;
    if (this.#chunks.length === 0) {
      this.#stop();
      waiting.resolve({ done: true, value: undefined });
      return;
    }
    const value = this.#chunks;
    this.#handed = value;
    this.#chunks = [];
    this.#held = 0;
    if (pace.isOverBudget()) this.#stream.pause();
    else this.#resume();
    waiting.resolve({ done: false, value });
  }

  #resume(): void {
    if (!this.#stream.isPaused()) return;
    this.#lastByteAt = performance.now();
    this.#stream.resume();
  }

  #recycle(): void {
    for (const chunk of this.#handed) giveBack(chunk);
    this.#handed = NOTHING;
  }

  #stop(): void {
    clearTimeout(this.#idle);
    this.#endTurn();
  }
}

const bodyCut = () => new Refusal('body_cut');

/**
 * Frees a chunk's memory at once. The garbage collector sees only the small object in front of it and lets
 * hundreds of megabytes pile up while uploads flow.
 */
function giveBack(chunk: Uint8Array): void {
  const memory = chunk.buffer;
  if (memory instanceof ArrayBuffer && chunk.byteLength === memory.byteLength) memory.transfer(0);
}
