import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { authenticateRestClient, type RestClient } from '../../messages/rest/rest-client.ts';
import {
  checkStanza,
  type RestServices,
  type SendStanzaOptions,
  sendStanza,
} from '../../messages/rest/send-stanza.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { authenticateChallenge, requireCredentials } from '../common/authorization.ts';
import { type AddressMatcher, getClientInfo } from '../common/client-info.ts';
import { CORS_HEADERS, optionsHeaders, REST_CORS_HEADERS } from '../common/cors.ts';
import { errorResponse } from '../common/error-response.ts';
import { parseWait } from '../common/form-fields.ts';
import { BODY_TIMEOUT_MS, readBody } from '../common/read-body.ts';
import { restErrorResponse } from './rest-errors.ts';
import { parseIqQuery, parseStanzaRequest, STANZA_REQUEST_TYPES } from './stanza-request.ts';
import { chooseStanzaMediaType, formatStanzas } from './stanza-response.ts';

export type RestEndpointServices = RestServices &
  Pick<UploadServices, 'transfers'> & {
    /** `trusted_proxies`, called for every request. */
    readonly trustedProxies: () => AddressMatcher;
  };

const METHODS = ['GET', 'POST', 'OPTIONS'];
const ALLOW = METHODS.join(', ');
/** Defaults of mod_rest (docs/protocols.md, "mod_rest"). */
const IQ_TIMEOUT_MS = 120_000;
const MAX_IQ_TIMEOUT_MS = 300_000;
const UNAUTHORIZED = 401;

/**
 * Stanzas over HTTP, compatible with Prosody's mod_rest (docs/protocols.md, "mod_rest"). `path` is `messages.rest_path`. Below
 * it are `echo`, KIND/TYPE/RECIPIENT for POST, and NAME/RECIPIENT for GET.
 */
export function restEndpoint(services: RestEndpointServices, path: string): FastifyPluginAsync {
  const senders = new WeakMap<FastifyRequest, RestClient>();
  return async (app) => {
    app.setErrorHandler((error, request, reply) => answerError(services, error, request, reply));
    // Authenticates before the body is read.
    app.addHook('onRequest', async (request) => {
      if (request.method !== 'OPTIONS') senders.set(request, await authenticate(services, request));
    });
    addBodyParser(app, services);
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      const sender = senders.get(request);
      if (sender === undefined) throw new Error('The request was not authenticated.');
      return handleCall(services, sender, request, reply);
    };
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method));
    for (const url of [path, `${path}/*`]) {
      app.route({ method: ['GET', 'POST'], url, exposeHeadRoute: false, handler: answer });
      app.route({ method: 'OPTIONS', url, handler: answerOptions });
      app.route({ method: others, url, handler: refuseMethod });
    }
  };
}

async function authenticate(services: RestEndpointServices, request: FastifyRequest): Promise<RestClient> {
  const credentials = requireCredentials(request.headers.authorization);
  const { address } = getClientInfo(request.raw, services.trustedProxies());
  return await authenticateRestClient(services, credentials, address);
}

/** Reads every body as bytes. The type is checked with the stanza. */
function addBodyParser(app: FastifyInstance, { messageRules, transfers }: RestEndpointServices): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request: FastifyRequest, payload: FastifyRequest['raw']) =>
    readBody(payload, {
      maxBytes: messageRules().maxSize,
      idleTimeoutMs: BODY_TIMEOUT_MS,
      memoryBudget: transfers.memory,
      content: 'stanza',
    }),
  );
}

async function answerOptions({ raw }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = {
    ...optionsHeaders(ALLOW, raw),
    ...REST_CORS_HEADERS,
    Accept: STANZA_REQUEST_TYPES.join(', '),
  };
  return reply.headers(headers).send();
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('Allow', ALLOW);
  throw new Refusal('method_not_allowed', { text: 'Send stanzas with POST, query with GET.' });
}

async function handleCall(
  services: RestEndpointServices,
  sender: RestClient,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { accept, 'content-type': contentType } = request.headers;
  const below = (request.params as { '*'?: string })['*'] || undefined;
  const isEcho = below === 'echo' && request.method === 'POST';
  const options = parseOptions(request);
  const checked = checkStanza(services, sender, readCall(request, isEcho ? undefined : below));
  const output = chooseStanzaMediaType(accept, contentType);
  const stanzas = isEcho ? [checked.stanza] : await sendStanza(services, sender, checked, options);
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
  const queryStart = url.indexOf('?');
  return parseIqQuery(path, queryStart < 0 ? '' : url.slice(queryStart + 1));
}

function parseOptions(request: FastifyRequest): SendStanzaOptions {
  const { wait } = request.query as { wait?: string | string[] };
  const bounceWait = request.method === 'POST' && wait !== undefined ? parseWait(String(wait)) : undefined;
  return { iqTimeout: parseIqTimeout(request), bounceWait };
}

/** Returns the value of `Prosody-Rest-Timeout` (seconds) in milliseconds, or the default if it is missing or invalid. */
function parseIqTimeout({ headers: { 'prosody-rest-timeout': timeout } }: FastifyRequest): number {
  const seconds = typeof timeout === 'string' && timeout.trim() !== '' ? Number(timeout) : Number.NaN;
  return seconds >= 0 ? Math.min(seconds * 1000, MAX_IQ_TIMEOUT_MS) : IQ_TIMEOUT_MS;
}

/** Refusals for errors that Fastify reports. */
const FASTIFY_REFUSALS: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new Refusal('media_type_unknown'),
};

function answerError(
  services: RestEndpointServices,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { accept } = request.headers;
  const mapped = FASTIFY_REFUSALS[(error as { code?: string }).code ?? ''] ?? error;
  const problemAccept = /\bapplication\/problem\+json\b/i.test(accept ?? '') ? accept : undefined;
  const plain = errorResponse(mapped, {
    log: services.log,
    now: services.clock(),
    accept: problemAccept,
    endpoint: 'rest',
  });
  const answer = mapped instanceof Refusal ? restErrorResponse(mapped, plain, accept) : plain;
  services.metrics.requestRefused('messages', mapped instanceof Refusal ? mapped.code : 'internal');
  if (answer.status === UNAUTHORIZED) reply.header('WWW-Authenticate', authenticateChallenge('rest'));
  void reply
    .code(answer.status)
    .headers({ ...answer.headers, ...REST_CORS_HEADERS })
    .send(answer.body);
}
