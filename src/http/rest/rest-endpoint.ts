import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { authenticateRestClient, type RestClient } from '../../messages/rest/rest-client.ts';
import {
  checkStanza,
  type RestServices,
  type SendStanzaOptions,
  sendStanza,
} from '../../messages/rest/send-stanza.ts';
import { authenticateChallenge, parseAuthorization } from '../common/authorization.ts';
import { type AddressMatcher, getClientInfo } from '../common/client-info.ts';
import { CORS_HEADERS, optionsHeaders, REST_CORS_HEADERS } from '../common/cors.ts';
import { errorResponse } from '../common/error-response.ts';
import { readBody } from '../common/read-body.ts';
import { parseWait } from '../messages/message-fields.ts';
import { restErrorResponse } from './rest-errors.ts';
import { parseIqQuery, parseStanzaRequest, STANZA_REQUEST_TYPES } from './stanza-request.ts';
import { chooseStanzaMediaType, formatStanzas } from './stanza-response.ts';

export type RestEndpointServices = RestServices & {
  /** `trusted_proxies`. */
  readonly trustedProxies: () => AddressMatcher;
};

const METHODS = ['GET', 'POST', 'OPTIONS'];
const ALLOW = METHODS.join(', ');
const IQ_TIMEOUT = 120_000;
const MAX_IQ_TIMEOUT = 300_000;
const UNAUTHORIZED = 401;

/**
 * Stanzas over HTTP, as with Prosody's mod_rest (FIELD 4.1 to 4.4). `path` is `messages.rest_path`; below it lie
 * `echo`, KIND/TYPE/RECIPIENT for POST and NAME/RECIPIENT for GET.
 */
export function restEndpoint(deps: RestEndpointServices, path: string): FastifyPluginAsync {
  const senders = new WeakMap<FastifyRequest, RestClient>();
  return async (app) => {
    app.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
    // Who is nobody gets nothing read.
    app.addHook('onRequest', async (request) => {
      if (request.method !== 'OPTIONS') senders.set(request, await senderOf(deps, request));
    });
    readBodies(app, () => deps.messageRules().maxSize);
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      const sender = senders.get(request);
      if (sender === undefined) throw new Error('a request without its sender');
      return answerCall(deps, sender, request, reply);
    };
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method));
    for (const url of [path, `${path}/*`]) {
      app.route({ method: ['GET', 'POST'], url, exposeHeadRoute: false, handler: answer });
      app.route({ method: 'OPTIONS', url, handler: tellMethods });
      app.route({ method: others, url, handler: refuseMethod });
    }
  };
}

async function senderOf(deps: RestEndpointServices, request: FastifyRequest): Promise<RestClient> {
  const credentials = parseAuthorization(request.headers.authorization);
  if (credentials === 'missing')
    throw new Refusal('unauthorized', {
      text: 'No credentials: give Basic with a JID and its password, or a Bearer token.',
    });
  if (credentials === 'malformed')
    throw new Refusal('credentials_wrong', { text: 'The Authorization header is neither Basic nor Bearer.' });
  const { address } = getClientInfo(request.raw, deps.trustedProxies());
  return await authenticateRestClient(deps, credentials, address);
}

/** Bytes, whatever they are said to be. */
function readBodies(app: FastifyInstance, limit: () => number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async ({ headers }: FastifyRequest, payload: FastifyRequest['raw']) => {
    const length = headers['content-length'];
    return await readBody(payload, length === undefined ? undefined : Number(length), limit());
  });
}

async function tellMethods(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = { ...optionsHeaders(ALLOW), ...REST_CORS_HEADERS, Accept: STANZA_REQUEST_TYPES.join(', ') };
  return reply.headers(headers).send();
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('Allow', ALLOW);
  throw new Refusal('method_not_allowed', { text: 'Send with POST, ask with GET.' });
}

async function answerCall(
  deps: RestEndpointServices,
  sender: RestClient,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { accept, 'content-type': contentType } = request.headers;
  const below = (request.params as { '*'?: string })['*'] || undefined;
  const isEcho = below === 'echo' && request.method === 'POST';
  const options = optionsOf(request);
  const checked = checkStanza(deps, sender, readCall(request, isEcho ? undefined : below));
  const output = chooseStanzaMediaType(accept, contentType);
  const stanzas = isEcho ? [checked.stanza] : await sendStanza(deps, sender, checked, options);
  reply.headers({ ...CORS_HEADERS, ...REST_CORS_HEADERS, 'Cache-Control': 'no-store' });
  if (stanzas.length === 0) return reply.code(202).send();
  return reply.type(output).send(Buffer.from(formatStanzas(output, stanzas)));
}

function readCall(request: FastifyRequest, path: string | undefined) {
  if (request.method === 'POST') {
    const body = (request.body as Buffer | null | undefined) ?? Buffer.alloc(0);
    return parseStanzaRequest({ path, contentType: request.headers['content-type'], body });
  }
  if (path === undefined) throw new Refusal('method_not_allowed', { text: 'Send stanzas with POST.' });
  const { url = '' } = request.raw;
  const mark = url.indexOf('?');
  return parseIqQuery(path, mark < 0 ? '' : url.slice(mark + 1));
}

function optionsOf(request: FastifyRequest): SendStanzaOptions {
  const { wait } = request.query as { wait?: string | string[] };
  const bounceWait = request.method === 'POST' && wait !== undefined ? parseWait(String(wait)) : undefined;
  return { iqTimeout: iqTimeoutOf(request), bounceWait };
}

/** Seconds; what is no number does not count. */
function iqTimeoutOf({ headers: { 'prosody-rest-timeout': given } }: FastifyRequest): number {
  const seconds = typeof given === 'string' && given.trim() !== '' ? Number(given) : Number.NaN;
  return seconds >= 0 ? Math.min(seconds * 1000, MAX_IQ_TIMEOUT) : IQ_TIMEOUT;
}

/** Faults of the framework that are the client's, in words of ours. */
const MISREAD: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new Refusal('media_type_unknown'),
};

function answerError(
  deps: RestEndpointServices,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { accept } = request.headers;
  const known = MISREAD[(error as { code?: string }).code ?? ''] ?? error;
  const problem = /\bapplication\/problem\+json\b/i.test(accept ?? '') ? accept : undefined;
  const plain = errorResponse(known, { log: deps.log, now: deps.clock(), accept: problem, endpoint: 'rest' });
  const answer = known instanceof Refusal ? restErrorResponse(known, plain, accept) : plain;
  deps.metrics.requestRefused('messages', known instanceof Refusal ? known.code : 'internal');
  if (answer.status === UNAUTHORIZED) reply.header('WWW-Authenticate', authenticateChallenge('rest'));
  void reply
    .code(answer.status)
    .headers({ ...answer.headers, ...REST_CORS_HEADERS })
    .send(answer.body);
}
