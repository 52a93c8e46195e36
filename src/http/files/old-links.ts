import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OldLinks } from '../../uploads/old-links.ts';
import { pathOfTarget } from '../common/request-target.ts';
import type { OldLinkHandler } from '../listener/router.ts';
import type { FileServer } from './file-server.ts';

type Route = (request: IncomingMessage, response: ServerResponse) => void;

/** Lets the router serve links of imported services. Their paths belong to no endpoint. */
export function createOldLinkHandler({ findLocator }: OldLinks, { serve }: FileServer): OldLinkHandler {
  return { locatorOf: findLocator, serve };
}

/** Serves cached files of imported services without the router, whose look-up found the same file a moment ago. */
export function withCachedOldLinks(links: OldLinks, fileServer: FileServer, route: Route): Route {
  return (request, response) => {
    const { method, url = '/' } = request;
    const locator =
      method === 'GET' || method === 'HEAD' ? links.cachedLocator(pathOfTarget(url)) : undefined;
    if (locator !== undefined && fileServer.isCached(locator)) fileServer.serve(request, response, locator);
    else route(request, response);
  };
}
