import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import { errorResponse, refusalOfFastify } from '../common/error-response.ts';
import { disableBodyParsing } from '../common/read-body.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendResponse } from '../common/send-response.ts';

export interface RouterServices {
  readonly log: Logger;
  readonly clock: Clock;
  /** Serves links of imported services, whose paths belong to no endpoint. */
  readonly oldLinks?: OldLinkHandler;
}

export interface OldLinkHandler {
  /** Returns the locator of the file with this path, or undefined if it is not an old link. */
  locatorOf(path: string): Promise<string | undefined>;
  serve(request: IncomingMessage, response: ServerResponse, locator: string): void;
}

/** Methods of old links. */
const OLD_LINK_METHODS = ['OPTIONS', 'HEAD', 'GET'];

const EMPTY_404_HEADERS = { ...CORS_HEADERS, 'Content-Length': '0' };

/** Keeps Fastify from loading its compilers of JSON schemas, which no route uses. */
const WITHOUT_SCHEMAS = { compilersFactory: { buildValidator: rejectSchema, buildSerializer: rejectSchema } };

function rejectSchema(): never {
  throw new Error('Routes use no schemas of Fastify.');
}

/**
 * Creates the router of all endpoints except those for files, which the file server handles. Endpoints are plugins. They
 * read bodies themselves, after they have authorised the client: Fastify reads none. Requests enter through `routing`;
 * Fastify's own server is never started. `close` ends the plugins.
 */
export async function createRouter(
  services: RouterServices,
  plugins: readonly FastifyPluginAsync[],
): Promise<FastifyInstance> {
  const handleError = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendError(services, error, request, reply);
  const app = Fastify({ logger: false, frameworkErrors: handleError, schemaController: WITHOUT_SCHEMAS });
  app.setErrorHandler(handleError);
  disableBodyParsing(app);
  app.setNotFoundHandler(async (request, reply) => {
    const { raw } = request;
    if (!OLD_LINK_METHODS.includes(raw.method ?? '')) throw new Refusal('not_found');
    const locator = await services.oldLinks?.locatorOf(pathOfTarget(raw.url ?? '/'));
    if (locator !== undefined && raw.method !== 'OPTIONS') {
      reply.hijack();
      services.oldLinks?.serve(raw, reply.raw, locator);
      return reply;
    }
    if (locator !== undefined) return reply.headers(optionsHeaders(OLD_LINK_METHODS.join(', '), raw)).send();
    if (raw.method === 'OPTIONS') throw new Refusal('not_found');
    // Empty, because clients save the body of an error as the file (docs/protocols.md, "GET answers").
    return sendResponse(request, reply, { status: 404, headers: EMPTY_404_HEADERS, body: '' });
  });
  for (const plugin of plugins) await app.register(plugin);
  await app.ready();
  return app;
}

function sendError(
  services: RouterServices,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { accept } = request.headers;
  const response = errorResponse(refusalOfFastify(error) ?? error, {
    log: services.log,
    now: services.clock(),
    accept,
  });
  void sendResponse(request, reply, response);
}
