import type { Readable } from 'node:stream';
import { Refusal } from '../base/errors.ts';
import type { IncomingBody } from '../uploads/incoming.ts';

export interface BodyOptions {
  /** Milliseconds for which the sender may be silent. */
  readonly idleTimeout: number;
  /** Says `100 Continue`, where the sender waits for it. */
  readonly onAccept?: () => void;
}

type Batch = readonly Uint8Array[];

/** What a chunk costs beside its bytes: thousands of tiny ones must not slip under the limit. */
const CHUNK_COST = 256;

/**
 * Gathers the chunks of a request into batches. While one batch is being written the next is gathered; when that
 * is full, the sender is held back. Nothing is read before `batches` is asked for the first one.
 */
export class RequestBody implements IncomingBody {
  received = 0;
  complete = false;
  readonly #stream: Readable;
  readonly #options: BodyOptions;
  #batchSize = () => 0;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #failure: Error | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<Batch>> | undefined;
  #lastByteAt = performance.now();
  #idle: NodeJS.Timeout | undefined;

  constructor(stream: Readable, options: BodyOptions) {
    this.#stream = stream;
    this.#options = options;
    // Also gives the error of a connection that breaks before anybody reads an owner.
    stream.on('error', () => this.abort(bodyCut()));
    stream.on('close', () => this.abort(bodyCut()));
    if (stream.destroyed) this.abort(bodyCut());
  }

  accept(): void {
    this.#options.onAccept?.();
    this.#lastByteAt = performance.now();
  }

  batches(batchSize: () => number): AsyncIterable<Batch> {
    this.#batchSize = batchSize;
    this.#lastByteAt = performance.now();
    if (!this.#failure) {
      this.#idle = setTimeout(() => this.#onIdle(), this.#options.idleTimeout);
      this.#stream.on('data', (chunk: Uint8Array) => this.#onData(chunk));
      this.#stream.on('end', () => this.#onEnd());
    }
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) };
  }

  abort(reason: Error): void {
    if (this.complete || this.#failure) return;
    this.#failure = reason;
    this.#chunks = [];
    clearTimeout(this.#idle);
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  idleFor(): number {
    return this.complete || this.#stream.isPaused() ? 0 : performance.now() - this.#lastByteAt;
  }

  #onData(chunk: Uint8Array): void {
    if (this.#failure) return;
    this.received += chunk.length;
    this.#lastByteAt = performance.now();
    this.#chunks.push(chunk);
    this.#held += chunk.length + CHUNK_COST;
    if (this.#held < this.#batchSize()) return;
    if (this.#waiting) this.#deliver(this.#waiting);
    else this.#stream.pause();
  }

  #onEnd(): void {
    if (this.#failure) return;
    this.complete = true;
    clearTimeout(this.#idle);
    if (this.#waiting) this.#deliver(this.#waiting);
  }

  #onIdle(): void {
    const left = this.#options.idleTimeout - this.idleFor();
    if (left <= 0) this.abort(new Refusal('body_idle'));
    else this.#idle = setTimeout(() => this.#onIdle(), left);
  }

  #next(): Promise<IteratorResult<Batch>> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    if (this.complete || this.#held >= this.#batchSize()) this.#deliver(this.#waiting);
    return promise;
  }

  /** Hands over what has been gathered, or says that this was all. */
  #deliver(waiting: PromiseWithResolvers<IteratorResult<Batch>>): void {
    this.#waiting = undefined;
    if (this.#chunks.length === 0) {
      waiting.resolve({ done: true, value: undefined });
      return;
    }
    const value = this.#chunks;
    this.#chunks = [];
    this.#held = 0;
    if (this.#stream.isPaused()) {
      this.#lastByteAt = performance.now();
      this.#stream.resume();
    }
    waiting.resolve({ done: false, value });
  }
}

const bodyCut = () => new Refusal('body_cut');
