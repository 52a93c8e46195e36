import type { FastifyPluginAsync } from 'fastify';
import { Refusal } from '../base/errors.ts';
import { addApiRoutes } from './api/api-endpoint.ts';
import { type OperationId, routeDefinitions } from './api/definitions.ts';
import type { Handlers } from './api/handlers.ts';
import { MAX_IDS } from './api/schemas.ts';
import { addPageFiles } from './serve/page-files.ts';
import type { WebServices } from './web-services.ts';

const DAY_MS = 86_400_000;
/** RFC 9116 recommends less than a year. */
const SECURITY_TXT_DAYS = 180;

/** The page, its API and `/.well-known/security.txt`. `path` is `web.path`. */
export function webEndpoint(services: WebServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  return async (app) => {
    addApiRoutes(app, root, services, createHandlers(services));
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

/** RFC 9116. */
function formatSecurityTxt(contacts: readonly string[], now: number): string {
  const expires = new Date(now + SECURITY_TXT_DAYS * DAY_MS).toISOString().slice(0, 10);
  return [...contacts.map((uri) => `Contact: ${uri}`), `Expires: ${expires}T00:00:00Z`, ''].join('\n');
}

/** Creates the handlers of all routes. */
function createHandlers(services: WebServices): Handlers {
  const notBuilt = async () => {
    throw new Refusal('not_understood');
  };
  const all = Object.fromEntries(Object.keys(routeDefinitions).map((id) => [id, notBuilt])) as Record<
    OperationId,
    () => Promise<never>
  >;
  return {
    ...all,
    async getService() {
      const { title, contacts, signIn, guestLinks } = services.settings();
      return {
        title,
        contacts: [...contacts],
        signIn: [...signIn],
        guestLinks,
        thumbnails: false,
        trashMs: 0,
        maxRequestedIds: MAX_IDS,
      };
    },
  };
}
