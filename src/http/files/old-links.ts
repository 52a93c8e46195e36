import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OldLinks } from '../../uploads/old-links.ts';
import { pathOfTarget } from '../common/request-target.ts';
import type { OldLinkHandler } from '../listener/router.ts';
import type { FileServer } from './file-server.ts';

type Route = (request: IncomingMessage, response: ServerResponse) => void;

/** For the router: what nobody owns may be a link of a service that was taken over. */
export function createOldLinkHandler({ findLocator }: OldLinks, { serve }: FileServer): OldLinkHandler {
  return { locatorOf: findLocator, serve };
}

/**
 * Files that are asked for again and again by old links go past the router, which would only find that nobody owns
 * their paths: it has found that for this very file a moment ago.
 */
export function withCachedOldLinks(links: OldLinks, data: FileServer, route: Route): Route {
  return (request, response) => {
    const { method, url = '/' } = request;
    const locator =
      method === 'GET' || method === 'HEAD' ? links.cachedLocator(pathOfTarget(url)) : undefined;
    if (locator !== undefined && data.isCached(locator)) data.serve(request, response, locator);
    else route(request, response);
  };
}
