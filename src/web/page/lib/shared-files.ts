import { useEffect } from 'preact/hooks';
import { SHARE_CACHE } from './share-cache.ts';
import type { UploadQueue } from './upload-queue.ts';

/** Uploads the files that the share sheet of a phone has given to this page. */
export function useShared(queue: UploadQueue): void {
  useEffect(() => {
    void takeShared().then((files) => files.length > 0 && queue.add(files));
  }, [queue]);
}

/** Returns the files that `share-worker.ts` has kept, and removes them there. Returns none if the browser blocks the storage. */
async function takeShared(): Promise<File[]> {
  const files: File[] = [];
  try {
    // Without https a page has no caches.
    if (!('caches' in globalThis) || !(await caches.has(SHARE_CACHE))) return [];
    const cache = await caches.open(SHARE_CACHE);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      if (response === undefined) continue;
      const name = decodeURIComponent(response.headers.get('X-File-Name') ?? 'file');
      const type = response.headers.get('Content-Type') ?? '';
      files.push(new File([await response.blob()], name, { type }));
    }
    await caches.delete(SHARE_CACHE);
  } catch {
    // The page works without the share sheet.
  }
  return files;
}

/** Registers the worker that receives shared files. */
export function registerShareWorker(): void {
  navigator.serviceWorker?.register('share-worker.js').catch(() => {
    // A private window, or a browser without the share sheet.
  });
}
