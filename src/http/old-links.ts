import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OldLinks } from '../uploads/old-links.ts';
import type { DataPlane } from './data-plane.ts';
import { pathOf } from './paths.ts';
import type { OldLinkServer } from './routes.ts';

type Route = (request: IncomingMessage, response: ServerResponse) => void;

/** For the router: what nobody owns may be a link of a service that was taken over. */
export function oldLinkServer({ locatorOf }: OldLinks, { serve }: DataPlane): OldLinkServer {
  return { locatorOf, serve };
}

/**
 * Files that are asked for again and again by old links go past the router, which would only find that nobody owns
 * their paths: it has found that for this very file a moment ago.
 */
export function pastRouter(links: OldLinks, data: DataPlane, route: Route): Route {
  return (request, response) => {
    const { method, url = '/' } = request;
    const locator = method === 'GET' || method === 'HEAD' ? links.quickly(pathOf(url)) : undefined;
    if (locator !== undefined && data.knows(locator)) data.serve(request, response, locator);
    else route(request, response);
  };
}
