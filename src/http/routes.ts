import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { errorRow, Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Logger } from '../base/log.ts';

const MAX_BODY_BYTES = 64 * 1024;

/**
 * The router of everything that is not the data plane, ready to take requests through `routing`. Doors come as
 * plugins. Its own server is never started; `close` ends the plugins.
 */
export async function createRoutes(
  log: Logger,
  plugins: readonly FastifyPluginAsync[],
): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    frameworkErrors: (error, request, reply) => refuse(request, reply, refusalFor(log, error, request)),
  });
  app.setErrorHandler((error, request, reply) => refuse(request, reply, refusalFor(log, error, request)));
  app.setNotFoundHandler((request, reply) => {
    // An error's body would be saved as the file that somebody looked for (FIELD 0.3).
    const silent = request.method === 'GET' || request.method === 'HEAD';
    if (silent) void reply.code(404).header('Content-Length', '0').send();
    else refuse(request, reply, new Refusal('not_found'));
  });
  for (const plugin of plugins) await app.register(plugin);
  await app.ready();
  return app;
}

function refuse(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): void {
  const status = errorRow(refusal.code).http;
  if (refusal.retryAt !== undefined) {
    reply.header('Retry-After', String(Math.max(1, Math.ceil((refusal.retryAt - Date.now()) / 1000))));
  }
  const asProblem = /application\/(?:problem\+)?json/.test(request.headers.accept ?? '');
  const type = asProblem ? 'application/problem+json' : 'text/plain; charset=utf-8';
  const text = asProblem
    ? JSON.stringify({ type: 'about:blank', status, code: refusal.code, detail: refusal.message })
    : refusal.message;
  void reply.code(status).type(type).send(text);
}

/** What the world may know of an error: expected ones whole, faults of ours only by a number. */
function refusalFor(log: Logger, error: unknown, request: FastifyRequest): Refusal {
  if (error instanceof Refusal) return error;
  if (((error as Partial<FastifyError>).statusCode ?? 500) < 500) return misread(error as FastifyError);
  const id = randomId();
  log.error({ err: error, id, method: request.method, route: request.routeOptions.url }, 'a request failed');
  return new Refusal('internal', { text: `Something went wrong here; the log has the story under ${id}.` });
}

const MISREAD: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'A body of this Content-Type is not understood here.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too long.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The Content-Type says JSON, but the body is empty.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its Content-Length says.',
  FST_ERR_BAD_URL: 'The path is not validly encoded.',
};

function misread(error: FastifyError): Refusal {
  const text = error instanceof SyntaxError ? 'The body is not valid JSON.' : MISREAD[error.code];
  return new Refusal('bad_request', { cause: error, ...(text !== undefined && { text }) });
}
