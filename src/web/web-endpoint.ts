import type { FastifyPluginAsync } from 'fastify';
import { createActivityHandlers } from './api/activity-handlers.ts';
import { createAdminHandlers } from './api/admin-handlers.ts';
import { addApiRoutes } from './api/api-endpoint.ts';
import { createContentHandlers } from './api/content-handlers.ts';
import { createFileHandlers } from './api/file-handlers.ts';
import { createGuestHandlers } from './api/guest-handlers.ts';
import type { Handlers } from './api/handlers.ts';
import { createSessionHandlers } from './api/session-handlers.ts';
import { addPageFiles } from './serve/page-files.ts';
import type { WebServices } from './web-services.ts';

const DAY_MS = 86_400_000;
/** RFC 9116 recommends less than a year. */
const SECURITY_TXT_DAYS = 180;

/** The page, its API and `/.well-known/security.txt`. `path` is `web.path`. */
export function webEndpoint(services: WebServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  return async (app) => {
    await app.register(async (api) => addApiRoutes(api, root, services, createHandlers(services)));
    addPageFiles(app, root);
    app.get('/.well-known/security.txt', async (_request, reply) => {
      const { contacts } = services.settings();
      if (contacts.length === 0) return reply.callNotFound();
      return reply
        .headers({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
        .type('text/plain; charset=utf-8')
        .send(formatSecurityTxt(contacts, services.clock()));
    });
  };
}

/** Formats `security.txt` (RFC 9116). */
function formatSecurityTxt(contacts: readonly string[], now: number): string {
  const expires = new Date(now + SECURITY_TXT_DAYS * DAY_MS).toISOString().slice(0, 10);
  return [...contacts.map((uri) => `Contact: ${uri}`), `Expires: ${expires}T00:00:00Z`, ''].join('\n');
}

/** Creates the handlers of all routes. */
function createHandlers(services: WebServices): Handlers {
  return {
    ...createSessionHandlers(services),
    ...createFileHandlers(services),
    ...createGuestHandlers(services),
    ...createAdminHandlers(services),
    ...createActivityHandlers(services),
    ...createContentHandlers(services),
  };
}
