import type { UploadSlot } from './file-transfer.ts';
import { readStored, writeStored } from './storage.ts';

/** An upload that can be resumed after the page was closed, once the user has chosen the same file again. */
export interface UnfinishedUpload {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** When the file was last changed, ms since 1970. */
  readonly lastModified: number;
  readonly slot: UploadSlot;
  /** The URL of the upload resource. */
  readonly resource: string;
  readonly sentBytes: number;
  /** When the server deletes the bytes, ms since 1970. */
  readonly expiresAt: number;
}

interface Stored {
  readonly account: string;
  readonly uploads: readonly UnfinishedUpload[];
}

const KEY = 'porter-uploads';
const MAX_UPLOADS = 20;

/**
 * The unfinished uploads of the signed-in user in this browser. Upload resources are secrets, so they are deleted when the user signs
 * out. A page holds the lock of an upload that it sends, because a second tab that sends it too would end its requests.
 */
export class UnfinishedUploads {
  readonly #listeners = new Set<() => void>();
  /** By resource: ends the lock. */
  readonly #held = new Map<string, () => void>();
  #account: string | null = null;

  /** Forgets the uploads of all other accounts, and expired ones. */
  setAccount(account: string | null): void {
    this.#account = account;
    this.#write(this.#read());
    this.#notify();
  }

  /** Calls the listener when uploads are added or removed. Returns the function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds an upload that this page sends, or replaces its entry. */
  remember(upload: UnfinishedUpload): void {
    const others = this.#read().filter(({ resource }) => resource !== upload.resource);
    this.#write([upload, ...others].slice(0, MAX_UPLOADS));
    if (!this.#held.has(upload.resource)) void this.#hold(upload.resource);
  }

  forget(resource: string): void {
    this.#write(this.#read().filter((upload) => upload.resource !== resource));
    this.#held.get(resource)?.();
    this.#held.delete(resource);
    this.#notify();
  }

  /** Returns the upload of this file, and takes its lock, so that only this page resumes it. Returns undefined if there is none. */
  async take({ name, size, lastModified }: File): Promise<UnfinishedUpload | undefined> {
    for (const upload of this.#read()) {
      const isSame = upload.name === name && upload.size === size && upload.lastModified === lastModified;
      if (isSame && (await this.#hold(upload.resource))) {
        this.#notify();
        return upload;
      }
    }
    return undefined;
  }

  /** Returns the uploads that no open page sends. */
  async listIdle(): Promise<readonly UnfinishedUpload[]> {
    const { held = [] } =
      (await locks()
        ?.query()
        .catch(() => undefined)) ?? {};
    const names = new Set(held.map(({ name }) => name));
    return this.#read().filter(({ resource }) => !this.#held.has(resource) && !names.has(lockName(resource)));
  }

  /**
   * Takes the lock of an upload. Returns false if another tab, or another upload of this page, holds it. Returns true without a lock if
   * the browser has none or refuses it.
   */
  #hold(resource: string): Promise<boolean> {
    if (this.#held.has(resource)) return Promise.resolve(false);
    this.#held.set(resource, () => {});
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const manager = locks();
    if (manager === undefined) return Promise.resolve(true);
    const hold = (lock: Lock | null) => {
      resolve(lock !== null);
      if (lock !== null) return new Promise<void>((release) => this.#held.set(resource, release));
      this.#held.delete(resource);
      return undefined;
    };
    // A browser that blocks the storage refuses locks with an error.
    manager.request(lockName(resource), { ifAvailable: true }, hold).catch(() => resolve(true));
    return promise;
  }

  #read(): readonly UnfinishedUpload[] {
    const stored = readUploads();
    if (stored === null || this.#account === null || stored.account !== this.#account) return [];
    return stored.uploads.filter(({ expiresAt }) => expiresAt > Date.now());
  }

  #write(uploads: readonly UnfinishedUpload[]): void {
    const stored =
      this.#account === null || uploads.length === 0 ? null : { account: this.#account, uploads };
    writeStored(KEY, stored && JSON.stringify(stored));
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

const lockName = (resource: string) => `porter-upload ${resource}`;

/** Browsers have locks only on pages that came over HTTPS or from this machine. */
const locks = (): LockManager | undefined => (navigator as { readonly locks?: LockManager }).locks;

function readUploads(): Stored | null {
  try {
    return JSON.parse(readStored(KEY) ?? 'null') as Stored | null;
  } catch {
    return null;
  }
}

/** The unfinished uploads of the signed-in user. */
export const unfinishedUploads = new UnfinishedUploads();
