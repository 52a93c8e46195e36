import { useEffect, useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { FileTransfer, type UploadSlot } from './file-transfer.ts';
import type { UnfinishedUploads } from './unfinished-uploads.ts';

export type PageUploadState = 'waiting' | 'sending' | 'paused' | 'interrupted' | 'done' | 'failed';

/** One file that is uploaded from this page. */
export interface PageUpload {
  readonly id: number;
  readonly file: File;
  readonly state: PageUploadState;
  readonly sentBytes: number;
  /** Bytes that an earlier page has sent. */
  readonly resumedAt: number;
  /** True if the server keeps the received bytes, so that the upload can be resumed. */
  readonly canPause: boolean;
  /** The download link; null until the server has answered 201, and for guests. */
  readonly link: string | null;
  readonly error: unknown;
}

export type RequestSlot = (file: { name: string; size: number; type?: string }) => Promise<UploadSlot>;

interface Begun {
  readonly slot: UploadSlot;
  readonly transfer: FileTransfer;
  /** Attempts that were interrupted since the last byte. */
  interruptions: number;
  /** The resource in `UnfinishedUploads`, and when its entry was written last (`performance.now()`). */
  remembered: { readonly resource: string; readonly at: number } | undefined;
}

/** Milliseconds between two records of the progress of an upload. */
const REMEMBER_EVERY_MS = 1000;

const MAX_PARALLEL = 2;
/** Seconds until an interrupted upload is resumed automatically, for each attempt. After the last attempt it fails. */
const PAUSES = [1, 2, 5, 10, 30, 60];

/**
 * The uploads of a page, at most two at a time.
 *
 * | state | next |
 * |---|---|
 * | `waiting` | `sending` when fewer than two others are sent |
 * | `sending` | `done`, `failed`, `paused` by the user, `interrupted` if the connection is lost and the server keeps the bytes |
 * | `paused` | `waiting` if the user resumes it |
 * | `interrupted` | `waiting` after a pause, or when the browser is online again; `paused` by the user |
 * | `failed` | `waiting` if the user tries again |
 */
export class UploadQueue {
  readonly #requestSlot: RequestSlot;
  /** Undefined for guests, who have no account. */
  readonly unfinished: UnfinishedUploads | undefined;
  readonly #aborts = new Map<number, AbortController>();
  readonly #begun = new Map<number, Begun>();
  readonly #listeners = new Set<() => void>();
  #uploads: readonly PageUpload[] = [];
  #lastId = 0;

  constructor(requestSlot: RequestSlot, unfinished?: UnfinishedUploads) {
    this.#requestSlot = requestSlot;
    this.unfinished = unfinished;
    addEventListener('online', () => {
      for (const { id, state } of this.#uploads) if (state === 'interrupted') this.resume(id);
    });
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
      const start = { sentBytes: 0, resumedAt: 0, canPause: false, link: null, error: null };
      return { id: this.#lastId, file, state: 'waiting', ...start };
    });
    this.#set([...this.#uploads, ...added]);
    this.#startNext();
  }

  /** Resumes an upload that is paused or interrupted, or sends a failed one again. */
  resume(id: number): void {
    this.#change(id, { state: 'waiting', error: null });
    this.#startNext();
  }

  /** Stops an upload until `resume`. The server keeps the received bytes. */
  pause(id: number): void {
    this.#change(id, { state: 'paused' });
    this.#aborts.get(id)?.abort();
    this.#startNext();
  }

  /** Removes an upload from the list, and stops it if it is running. */
  remove(id: number): void {
    this.#aborts.get(id)?.abort();
    if (this.#uploads.some((upload) => upload.id === id && upload.state !== 'done'))
      this.#begun.get(id)?.transfer.cancel();
    this.#forget(id);
    this.#set(this.#uploads.filter((upload) => upload.id !== id));
    this.#startNext();
  }

  /** Stops all uploads and empties the list. */
  stop(): void {
    for (const { id } of this.#uploads) this.remove(id);
  }

  /** Removes the uploads that are done or have failed. */
  clear(): void {
    for (const { id, state } of this.#uploads) if (state === 'done' || state === 'failed') this.remove(id);
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
      const begun = await this.#begin(id, file, abort.signal);
      await begun.transfer.send({
        signal: abort.signal,
        onProgress: (sentBytes) => {
          if (sentBytes > 0) begun.interruptions = 0;
          this.#change(id, { sentBytes, canPause: begun.transfer.canResume });
          this.#remember(file, begun, sentBytes);
        },
      });
      this.#change(id, { state: 'done', sentBytes: file.size, link: begun.slot.getUrl ?? null });
      this.#forget(id);
    } catch (error) {
      // Otherwise the user has paused or removed it.
      if (!abort.signal.aborted) this.#stopped(id, error);
    } finally {
      if (this.#aborts.get(id) === abort) this.#aborts.delete(id);
      this.#startNext();
    }
  }

  /** After a lost connection the same slot is used again, so that no second one is charged. */
  async #begin(id: number, file: File, signal: AbortSignal): Promise<Begun> {
    const known = this.#begun.get(id) ?? (await this.#resumeEarlier(id, file, signal));
    if (known) return known;
    const { name, size, type } = file;
    if (size === 0) throw new ApiError(0, 'empty_file', 'An empty file cannot be uploaded.');
    const slot = await this.#requestSlot({ name: name || 'file', size, ...(type !== '' && { type }) });
    const transfer = new FileTransfer(slot, file);
    const begun = { slot, transfer, interruptions: 0, remembered: undefined };
    this.#begun.set(id, begun);
    return begun;
  }

  /** Resumes the upload of an earlier page. Returns undefined if there is none, or the server has deleted its bytes. */
  async #resumeEarlier(id: number, file: File, signal: AbortSignal): Promise<Begun | undefined> {
    const earlier = await this.unfinished?.take(file);
    if (!earlier) return undefined;
    const { slot, resource } = earlier;
    const transfer = new FileTransfer(slot, file, resource);
    const begun = { slot, transfer, interruptions: 0, remembered: { resource, at: 0 } };
    this.#begun.set(id, begun);
    const resumedAt = await transfer.readOffset(signal);
    if (transfer.canResume) {
      this.#change(id, { resumedAt, sentBytes: resumedAt, canPause: true });
      return begun;
    }
    this.#forget(id);
    return undefined;
  }

  #remember(file: File, begun: Begun, sentBytes: number): void {
    const { slot, transfer, remembered } = begun;
    const { resource, keptForMs } = transfer;
    const now = performance.now();
    const isKnown = remembered !== undefined && remembered.resource === resource;
    if (isKnown && now - remembered.at < REMEMBER_EVERY_MS) return;
    if (remembered && !isKnown) this.unfinished?.forget(remembered.resource);
    begun.remembered = undefined;
    if (resource === undefined) return;
    const { name, size, lastModified } = file;
    const expiresAt = Date.now() + keptForMs;
    this.unfinished?.remember({ name, size, lastModified, slot, resource, sentBytes, expiresAt });
    begun.remembered = { resource, at: now };
  }

  /** Forgets the slot of an upload, so that another attempt begins from the start. */
  #forget(id: number): void {
    const { remembered } = this.#begun.get(id) ?? {};
    if (remembered) this.unfinished?.forget(remembered.resource);
    this.#begun.delete(id);
  }

  #stopped(id: number, error: unknown): void {
    const seconds = isInterruption(error) ? this.#pauseAfterInterruption(id) : undefined;
    if (seconds === undefined) this.#fail(id, error);
    else this.#resumeLater(id, seconds, error);
  }

  /** Returns the seconds to wait. Returns undefined if the upload cannot be resumed, or was interrupted too often. */
  #pauseAfterInterruption(id: number): number | undefined {
    const begun = this.#begun.get(id);
    if (!begun?.transfer.canResume) return undefined;
    begun.interruptions += 1;
    return PAUSES[begun.interruptions - 1];
  }

  #fail(id: number, error: unknown): void {
    // Only a lost connection leaves the slot as it was.
    if (!isInterruption(error)) this.#forget(id);
    this.#change(id, { state: 'failed', error });
  }

  #resumeLater(id: number, seconds: number, error: unknown): void {
    this.#change(id, { state: 'interrupted', error });
    setTimeout(() => {
      const upload = this.#uploads.find((other) => other.id === id);
      if (upload?.state === 'interrupted') this.resume(id);
    }, seconds * 1000);
  }

  #change(id: number, change: Partial<PageUpload>): void {
    this.#set(this.#uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
  }

  #set(uploads: readonly PageUpload[]): void {
    this.#uploads = uploads;
    for (const listener of this.#listeners) listener();
  }
}

/** The connection was lost, the server is overloaded, or another request has taken over. */
const isInterruption = (error: unknown) =>
  error instanceof ApiError && (error.code === 'offline' || error.status === 409 || error.status >= 500);

/** The uploads of a queue, in a component. */
export function useUploads(queue: UploadQueue): readonly PageUpload[] {
  const [uploads, setUploads] = useState(queue.uploads);
  useEffect(() => {
    setUploads(queue.uploads);
    return queue.subscribe(() => setUploads(queue.uploads));
  }, [queue]);
  return uploads;
}
