import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { check, type RestDeps, type RestOptions, sendStanza } from '../../messages/rest/rest.ts';
import { identifyStanzaSender, type StanzaSender } from '../../messages/rest/sender.ts';
import { challenge, readAuthorization } from '../authorization.ts';
import { CORS, optionsHeaders, REST_CORS } from '../cors.ts';
import { readWait } from '../message-fields.ts';
import { type AddressMatcher, peerOf } from '../peer.ts';
import { answerTo } from '../reply.ts';
import { chooseOutput, writeStanzas } from './answer.ts';
import { readBody } from './body.ts';
import { errorAnswer } from './errors.ts';
import { INPUTS, readQuestion, readStanza } from './read.ts';

export interface RestDoorDeps extends RestDeps {
  /** `trusted_proxies`. */
  readonly trustedProxies: () => AddressMatcher;
}

const METHODS = ['GET', 'POST', 'OPTIONS'];
const ALLOW = METHODS.join(', ');
const IQ_TIMEOUT = 120_000;
const MAX_IQ_TIMEOUT = 300_000;
const UNAUTHORIZED = 401;

/**
 * Stanzas over HTTP, as with Prosody's mod_rest (FIELD 4.1 to 4.4). `path` is `messages.rest_path`; below it lie
 * `echo`, KIND/TYPE/RECIPIENT for POST and NAME/RECIPIENT for GET.
 */
export function restDoor(deps: RestDoorDeps, path: string): FastifyPluginAsync {
  const senders = new WeakMap<FastifyRequest, StanzaSender>();
  return async (app) => {
    app.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
    // Who is nobody gets nothing read.
    app.addHook('onRequest', async (request) => {
      if (request.method !== 'OPTIONS') senders.set(request, await senderOf(deps, request));
    });
    readBodies(app, () => deps.messages().maxSize);
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

async function senderOf(deps: RestDoorDeps, request: FastifyRequest): Promise<StanzaSender> {
  const credentials = readAuthorization(request.headers.authorization);
  if (credentials === 'missing')
    throw new Refusal('unauthorized', {
      text: 'No credentials: give Basic with a JID and its password, or a Bearer token.',
    });
  if (credentials === 'malformed')
    throw new Refusal('credentials_wrong', { text: 'The Authorization header is neither Basic nor Bearer.' });
  const { address } = peerOf(request.raw, deps.trustedProxies());
  return await identifyStanzaSender(deps, credentials, address);
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
  const headers = { ...optionsHeaders(ALLOW), ...REST_CORS, Accept: INPUTS.join(', ') };
  return reply.headers(headers).send();
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('Allow', ALLOW);
  throw new Refusal('method_not_allowed', { text: 'Send with POST, ask with GET.' });
}

async function answerCall(
  deps: RestDoorDeps,
  sender: StanzaSender,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { accept, 'content-type': contentType } = request.headers;
  const below = (request.params as { '*'?: string })['*'] || undefined;
  const isEcho = below === 'echo' && request.method === 'POST';
  const options = optionsOf(request);
  const checked = check(deps, sender, readCall(request, isEcho ? undefined : below));
  const output = chooseOutput(accept, contentType);
  const stanzas = isEcho ? [checked.stanza] : await sendStanza(deps, sender, checked, options);
  reply.headers({ ...CORS, ...REST_CORS, 'Cache-Control': 'no-store' });
  if (stanzas.length === 0) return reply.code(202).send();
  return reply.type(output).send(Buffer.from(writeStanzas(output, stanzas)));
}

function readCall(request: FastifyRequest, path: string | undefined) {
  if (request.method === 'POST') {
    const body = (request.body as Buffer | null | undefined) ?? Buffer.alloc(0);
    return readStanza({ path, contentType: request.headers['content-type'], body });
  }
  if (path === undefined) throw new Refusal('method_not_allowed', { text: 'Send stanzas with POST.' });
  const { url = '' } = request.raw;
  const mark = url.indexOf('?');
  return readQuestion(path, mark < 0 ? '' : url.slice(mark + 1));
}

function optionsOf(request: FastifyRequest): RestOptions {
  const { wait } = request.query as { wait?: string | string[] };
  const bounceWait = request.method === 'POST' && wait !== undefined ? readWait(String(wait)) : undefined;
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

function answerError(deps: RestDoorDeps, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { accept } = request.headers;
  const known = MISREAD[(error as { code?: string }).code ?? ''] ?? error;
  const problem = /\bapplication\/problem\+json\b/i.test(accept ?? '') ? accept : undefined;
  const plain = answerTo(known, { log: deps.log, now: deps.clock(), accept: problem, door: 'rest' });
  const answer = known instanceof Refusal ? errorAnswer(known, plain, accept) : plain;
  deps.meter.refused('messages', known instanceof Refusal ? known.code : 'internal');
  if (answer.status === UNAUTHORIZED) reply.header('WWW-Authenticate', challenge('rest'));
  void reply
    .code(answer.status)
    .headers({ ...answer.headers, ...REST_CORS })
    .send(answer.body);
}
