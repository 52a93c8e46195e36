import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import { Refusal } from '../../base/errors.ts';
import { type ClientInfo, getClientInfo } from '../../http/common/client-info.ts';
import { CORS_HEADERS } from '../../http/common/cors.ts';
import { errorResponse, refusalOfFastify } from '../../http/common/error-response.ts';
import { decodeUtf8, hasBody, parseJsonText, readBody } from '../../http/common/read-body.ts';
import { sendResponse } from '../../http/common/send-response.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { API_HEADERS } from '../serve/page-headers.ts';
import { checkCsrf, findPrincipal } from '../sign-in/authenticate-request.ts';
import { assertMayCall, type Principal } from '../sign-in/principal.ts';
import type { WebServices } from '../web-services.ts';
import { API_PREFIX, allRoutes } from './definitions.ts';
import type { ApiCall, Handlers } from './handlers.ts';
import { describeApi } from './openapi.ts';
import type { RouteDefinition } from './route.ts';

const MAX_BODY_BYTES = 256 * 1024;

type AnyHandler = (input: unknown, call: ApiCall) => Promise<unknown>;

/** Adds the routes of the API and its description, as a plugin of Fastify, below `root` (`web.path` without a slash at the end). */
export function addApiRoutes(
  app: FastifyInstance,
  root: string,
  services: WebServices,
  handlers: Handlers,
): void {
  const prefix = `${root}/${API_PREFIX}`;
  // Fastify itself refuses some requests, such as those with an empty Content-Type.
  app.setErrorHandler((error, request, reply) =>
    sendApiError(services, refusalOfFastify(error) ?? error, request, reply),
  );
  for (const [id, definition] of allRoutes) {
    // `Handlers` has the input and answer of each definition under the same id.
    const handler = handlers[id] as AnyHandler;
    app.route({
      method: definition.method,
      url: prefix + definition.path.replace(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: false,
      handler: (request, reply) => answerCall(services, definition, handler, request, reply),
    });
  }
  app.get(`${prefix}/openapi.json`, async (_request, reply) =>
    reply.headers(API_HEADERS).send(describeApi(services.settings().title)),
  );
  const refuse = async (request: FastifyRequest, reply: FastifyReply) =>
    sendApiError(services, new Refusal('not_found', { text: 'The API has no such route.' }), request, reply);
  app.all(`${prefix}/*`, refuse);
}

async function answerCall(
  services: WebServices,
  definition: RouteDefinition,
  handler: AnyHandler,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  try {
    const client = getClientInfo(request.raw, services.settings().trustedProxies);
    const principal = await authorize(services, definition, request, client);
    const input = {
      params: request.params,
      query: parseQuery(definition, request.query),
      body: await readInput(services, definition, request),
    };
    reply.headers(API_HEADERS);
    const answer = await handler(input, { principal, client, request, reply });
    if (reply.sent) return reply;
    reply.code(definition.status);
    return definition.answer === null
      ? reply.send()
      : reply.type('application/json; charset=utf-8').send(JSON.stringify(answer));
  } catch (error) {
    return sendApiError(services, error, request, reply);
  }
}

/** Authenticates before the query and the body are read. Public routes also get the user, if there is one. */
async function authorize(
  services: WebServices,
  { access, method }: RouteDefinition,
  request: FastifyRequest,
  client: ClientInfo,
): Promise<Principal | undefined> {
  const principal = await findPrincipal(services, request, client);
  assertMayCall(access, principal);
  if (method !== 'GET' && access !== 'public') checkCsrf(principal, request);
  return principal;
}

function parseQuery({ query }: RouteDefinition, given: unknown): unknown {
  return query && check(query, given, 'parameter');
}

/** A JSON body is required: a form of another site cannot send its media type without a preflight, which is refused. */
async function readInput(
  { transfers, settings }: WebServices,
  { body, method }: RouteDefinition,
  { raw }: FastifyRequest,
): Promise<unknown> {
  if (body === undefined) {
    if (method !== 'GET' && hasBody(raw))
      throw new Refusal('bad_request', { text: 'This request has no body.' });
    return undefined;
  }
  if (mediaTypeEssence(raw.headers['content-type'] ?? '') !== 'application/json') {
    throw new Refusal('media_type_unknown', {
      text: 'The body must be JSON with the Content-Type application/json.',
    });
  }
  const bytes = await readBody(raw, {
    maxBytes: MAX_BODY_BYTES,
    idleTimeoutMs: settings().idleTimeoutMs,
    memoryBudget: transfers.memory,
    content: 'request',
  });
  return check(body, parseJsonText(decodeUtf8(bytes)), 'field');
}

/** Throws `Refusal` (`bad_request`) that names the first wrong parameter or field. */
function check(schema: z.ZodType, given: unknown, what: 'parameter' | 'field'): unknown {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : (issue?.path ?? []).join('.');
  const subject = keys === '' ? 'The request' : `The ${what} "${keys}"`;
  const problem = issue?.code === 'unrecognized_keys' ? 'is unknown' : `is wrong: ${issue?.message ?? ''}`;
  throw new Refusal('bad_request', { text: `${subject} ${problem}.` });
}

/** Answers as problem details (RFC 9457), without CORS headers. */
function sendApiError(
  { log, clock }: Pick<WebServices, 'log' | 'clock'>,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const response = errorResponse(error, { log, now: clock(), accept: 'application/json' });
  const headers = Object.fromEntries(
    Object.entries(response.headers).filter(([name]) => !Object.hasOwn(CORS_HEADERS, name)),
  );
  return sendResponse(request, reply, { ...response, headers: { ...headers, ...API_HEADERS } });
}
