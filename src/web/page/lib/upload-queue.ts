import { useEffect, useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { sendBody, type UploadSlot } from './send-body.ts';

export type PageUploadState = 'waiting' | 'sending' | 'done' | 'failed';

/** One file that is uploaded from this page. */
export interface PageUpload {
  readonly id: number;
  readonly file: File;
  readonly state: PageUploadState;
  readonly sentBytes: number;
  /** The download link; null until the server has answered 201, and for guests. */
  readonly link: string | null;
  readonly error: unknown;
}

export type RequestSlot = (file: { name: string; size: number; type?: string }) => Promise<UploadSlot>;

const MAX_PARALLEL = 2;

/**
 * The uploads of a page, at most two at a time.
 *
 * | state | next |
 * |---|---|
 * | `waiting` | `sending` when there is a place |
 * | `sending` | `done` or `failed` |
 * | `failed` | `waiting` if the user tries again |
 */
export class UploadQueue {
  readonly #requestSlot: RequestSlot;
  readonly #aborts = new Map<number, AbortController>();
  readonly #slots = new Map<number, UploadSlot>();
  readonly #listeners = new Set<() => void>();
  #uploads: readonly PageUpload[] = [];
  #lastId = 0;

  constructor(requestSlot: RequestSlot) {
    this.#requestSlot = requestSlot;
  }

  get uploads(): readonly PageUpload[] {
    return this.#uploads;
  }

  /** Calls the listener after each change. Returns the function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(files: Iterable<File>): void {
    const added = [...files].map((file): PageUpload => {
      this.#lastId += 1;
      return { id: this.#lastId, file, state: 'waiting', sentBytes: 0, link: null, error: null };
    });
    this.#set([...this.#uploads, ...added]);
    this.#startNext();
  }

  /** Sends a failed upload again. */
  retry(id: number): void {
    this.#change(id, { state: 'waiting', sentBytes: 0, error: null });
    this.#startNext();
  }

  /** Removes an upload from the list, and stops it if it is running. */
  remove(id: number): void {
    this.#aborts.get(id)?.abort();
    this.#slots.delete(id);
    this.#set(this.#uploads.filter((upload) => upload.id !== id));
    this.#startNext();
  }

  /** Stops all uploads and empties the list. */
  stop(): void {
    for (const { id } of this.#uploads) this.remove(id);
  }

  /** Removes the uploads that are done or have failed. */
  clear(): void {
    this.#set(this.#uploads.filter(({ state }) => state !== 'done' && state !== 'failed'));
  }

  #startNext(): void {
    const running = this.#uploads.filter(({ state }) => state === 'sending').length;
    const waiting = this.#uploads.filter(({ state }) => state === 'waiting');
    for (const { id, file } of waiting.slice(0, Math.max(0, MAX_PARALLEL - running))) {
      this.#change(id, { state: 'sending', error: null });
      void this.#send(id, file);
    }
  }

  async #send(id: number, file: File): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      const slot = await this.#slotFor(id, file);
      await sendBody(slot, file, abort.signal, (sentBytes) => this.#change(id, { sentBytes }));
      this.#change(id, { state: 'done', sentBytes: file.size, link: slot.getUrl ?? null });
    } catch (error) {
      // The user has removed it.
      if (!abort.signal.aborted) this.#fail(id, error);
    } finally {
      if (this.#aborts.get(id) === abort) this.#aborts.delete(id);
      this.#startNext();
    }
  }

  /** After a lost connection the same slot is used again, so that no second one is charged. */
  async #slotFor(id: number, { name, size, type }: File): Promise<UploadSlot> {
    const known = this.#slots.get(id);
    if (known) return known;
    if (size === 0) throw new ApiError(0, 'empty_file', 'An empty file cannot be uploaded.');
    const slot = await this.#requestSlot({ name: name || 'file', size, ...(type !== '' && { type }) });
    this.#slots.set(id, slot);
    return slot;
  }

  #fail(id: number, error: unknown): void {
    // Only a lost connection leaves the slot as it was.
    if (!(error instanceof ApiError) || error.code !== 'offline') this.#slots.delete(id);
    this.#change(id, { state: 'failed', error });
  }

  #change(id: number, change: Partial<PageUpload>): void {
    this.#set(this.#uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
  }

  #set(uploads: readonly PageUpload[]): void {
    this.#uploads = uploads;
    for (const listener of this.#listeners) listener();
  }
}

/** The uploads of a queue, in a component. */
export function useUploads(queue: UploadQueue): readonly PageUpload[] {
  const [uploads, setUploads] = useState(queue.uploads);
  useEffect(() => {
    setUploads(queue.uploads);
    return queue.subscribe(() => setUploads(queue.uploads));
  }, [queue]);
  return uploads;
}
