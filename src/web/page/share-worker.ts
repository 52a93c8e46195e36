import { SHARE_CACHE } from './lib/share-cache.ts';

/** The events of a service worker, which the types of a page do not have. */
interface FetchLikeEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/**
 * Receives files from the share sheet of a phone (`share_target` of the manifest): keeps them, and opens the page, which
 * uploads them after the user has signed in. All other requests go to the network unchanged.
 */
addEventListener('fetch', (event) => {
  const { request } = event as FetchLikeEvent;
  const isShare = request.method === 'POST' && new URL(request.url).pathname.endsWith('/share');
  if (isShare) (event as FetchLikeEvent).respondWith(keepShared(request));
});

async function keepShared(request: Request): Promise<Response> {
  const form = await request.formData();
  const cache = await caches.open(SHARE_CACHE);
  let count = 0;
  for (const file of form.getAll('files')) {
    if (!(file instanceof File)) continue;
    count += 1;
    const headers = { 'Content-Type': file.type, 'X-File-Name': encodeURIComponent(file.name) };
    await cache.put(`shared-${count}`, new Response(file, { headers }));
  }
  return Response.redirect('./#/files', 303);
}
