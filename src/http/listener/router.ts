import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import { errorResponse } from '../common/error-response.ts';
import { pathOfTarget } from '../common/request-target.ts';

export interface RouterServices {
  readonly log: Logger;
  readonly clock: Clock;
  /** Files under paths that no door owns: links that services before us gave out. */
  readonly oldLinks?: OldLinkHandler;
}

export interface OldLinkHandler {
  /** The locator of the file that a path means; undefined where no such link looks like that. */
  locatorOf(path: string): Promise<string | undefined>;
  serve(request: IncomingMessage, response: ServerResponse, locator: string): void;
}

/** What there is to do with a file of a service that was taken over. */
const GET_METHODS = ['OPTIONS', 'HEAD', 'GET'];

/** Doors with larger bodies say so themselves. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * The router of everything that is not the data plane, ready to take requests through `routing`. Doors come as
 * plugins. Its own server is never started; `close` ends the plugins.
 */
export async function createRouter(
  deps: RouterServices,
  plugins: readonly FastifyPluginAsync[],
): Promise<FastifyInstance> {
  const answer = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerError(deps, error, request, reply);
  const app = Fastify({ logger: false, bodyLimit: MAX_BODY_BYTES, frameworkErrors: answer });
  app.setErrorHandler(answer);
  app.setNotFoundHandler(async ({ raw }, reply) => {
    if (!GET_METHODS.includes(raw.method ?? '')) throw new Refusal('not_found');
    const locator = await deps.oldLinks?.locatorOf(pathOfTarget(raw.url ?? '/'));
    if (locator !== undefined && raw.method !== 'OPTIONS') {
      reply.hijack();
      deps.oldLinks?.serve(raw, reply.raw, locator);
      return reply;
    }
    if (locator !== undefined) return reply.headers(optionsHeaders(GET_METHODS.join(', '))).send();
    if (raw.method === 'OPTIONS') throw new Refusal('not_found');
    // An error's body would be saved as the file that somebody looked for (FIELD 0.3).
    return reply.code(404).headers(CORS_HEADERS).header('Content-Length', '0').send();
  });
  for (const plugin of plugins) await app.register(plugin);
  await app.ready();
  return app;
}

function answerError(
  deps: RouterServices,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { accept } = request.headers;
  const answer = errorResponse(misread(error) ?? error, { log: deps.log, now: deps.clock(), accept });
  void reply.code(answer.status).headers(answer.headers).send(answer.body);
}

const MISREAD: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'A body of this Content-Type is not understood here.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too long.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The Content-Type says JSON, but the body is empty.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its Content-Length says.',
  FST_ERR_BAD_URL: 'The path is not validly encoded.',
};

/** What the framework could not read is the client's fault; undefined for anything else. */
function misread(error: unknown): Refusal | undefined {
  const { statusCode = 500, code = '' } = error as Partial<FastifyError>;
  if (statusCode >= 500 || error instanceof Refusal) return undefined;
  const text = error instanceof SyntaxError ? MISREAD.FST_ERR_CTP_INVALID_JSON_BODY : MISREAD[code];
  return new Refusal('bad_request', { cause: error, ...(text !== undefined && { text }) });
}
