import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { type ApiClient, authenticateClient, hashToken } from '../../messages/authenticate.ts';
import { runIdempotent } from '../../messages/idempotency.ts';
import type { MessageServices } from '../../messages/message-services.ts';
import { type SendRequest, sendMessages } from '../../messages/send-messages.ts';
import { uploadBoundsFor } from '../../uploads/grant-slot.ts';
import { requireCredentials } from '../common/authorization.ts';
import { type AddressMatcher, type ClientInfo, getClientInfo } from '../common/client-info.ts';
import { MESSAGE_CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import { drainRequest } from '../common/drain-request.ts';
import type { HttpResponse } from '../common/error-response.ts';
import { requestBaseUrl } from '../common/request-base-url.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { MESSAGE_MEDIA_TYPES, readMessageBody, unsupportedMediaType } from './message-body.ts';
import { parseForm, parseMessage } from './message-fields.ts';
import {
  type MessageOutcome,
  mustNotRepeat,
  outcomeResponse,
  refusalResponse,
  toMessageOutcome,
} from './message-response.ts';
import type { MessageBody } from './multipart-form.ts';

/** What a reload may change. */
export interface MessageEndpointSettings {
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeoutMs: number;
}

export type MessageEndpointServices = MessageServices & {
  readonly settings: () => MessageEndpointSettings;
};

const ALLOW = 'OPTIONS, POST';

/** `POST /msg/RECIPIENT`: messages from scripts. `path` is `messages.path`. */
export function messageEndpoint(deps: MessageEndpointServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  const realm = `${root.slice(1) || 'messages'}`;
  const place: Place = { root, realm, forms: 0 };
  return async (app) => {
    disableBodyParsing(app);
    app.setErrorHandler((error, request, reply) => {
      const facts = { log: deps.log, now: deps.clock(), accept: request.headers.accept, realm };
      return sendResponse(
        request,
        reply,
        refusalResponse(isTypeless(error) ? unsupportedMediaType() : error, facts),
      );
    });
    const others = app.supportedMethods.filter((method) => !['POST', 'OPTIONS'].includes(method));
    for (const url of [root, `${root}/*`]) {
      app.route({
        method: 'POST',
        url,
        handler: (request, reply) => answerPost(deps, place, request, reply),
      });
      app.route({ method: 'OPTIONS', url, handler: answerOptions });
      app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
    }
  };
}

/** They are read by us, with bounds that depend on who sends. */
export function disableBodyParsing(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** The framework looks at the type before we do. */
function isTypeless(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}

async function answerOptions(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = {
    ...optionsHeaders(ALLOW),
    ...MESSAGE_CORS_HEADERS,
    Accept: MESSAGE_MEDIA_TYPES.join(', '),
  };
  return reply.headers(headers).send();
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', { text: 'Messages are sent with POST.' });
}

interface Place {
  readonly root: string;
  readonly realm: string;
  /** That are under way now. */
  forms: number;
}

/** Forms at one time: each may hold a file of the largest size on the disk until it is whole. */
const MAX_FORMS = 64;

async function answerPost(
  deps: MessageEndpointServices,
  place: Place,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const facts = () => ({
    log: deps.log,
    now: deps.clock(),
    accept: request.headers.accept,
    realm: place.realm,
  });
  try {
    return sendResponse(request, reply, outcomeResponse(await takePost(deps, place, request), facts()));
  } catch (error) {
    note(deps, request, error);
    return sendResponse(request, reply, refusalResponse(error, facts()));
  }
}

async function takePost(
  deps: MessageEndpointServices,
  place: Place,
  request: FastifyRequest,
): Promise<MessageOutcome> {
  const peer = getClientInfo(request.raw, deps.settings().trustedProxies);
  const key = readKey(request.headers['idempotency-key']);
  const target = readTarget(request.raw.url ?? '/', place.root);
  const credentials = requireCredentials(request.headers.authorization);
  const sender = await authenticateClient(deps, credentials, peer.address);
  const take = () => takeBody(deps, request, sender, key, (form) => dispatchOf(form, target, peer));
  if (!/^multipart\//i.test(request.headers['content-type'] ?? '')) return await take();
  if (place.forms >= MAX_FORMS) throw new Refusal('busy');
  place.forms += 1;
  return await take().finally(() => {
    place.forms -= 1;
  });
}

async function takeBody(
  deps: MessageEndpointServices,
  request: FastifyRequest,
  sender: ApiClient,
  key: string | undefined,
  dispatchOfForm: (form: MessageBody) => SendRequest,
): Promise<MessageOutcome> {
  const form = await readMessageBody(request.raw, {
    maxTextBytes: deps.messageRules().maxSize,
    fileLimits: () => uploadBoundsFor(deps, sender.jid),
    idleTimeoutMs: deps.settings().idleTimeoutMs,
    memoryBudget: deps.transfers.memory,
  });
  try {
    return await sendForm(deps, sender, dispatchOfForm(form), key);
  } finally {
    await form.discard();
  }
}

interface PostTarget {
  /** Decoded; empty where the path names nobody. */
  readonly recipient: string;
  readonly query: string;
}

function readTarget(url: string, root: string): PostTarget {
  const path = pathOfTarget(url);
  try {
    const recipient = decodeURIComponent(path.slice(root.length + 1));
    return { recipient, query: url.slice(path.length + 1) };
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The path is not validly encoded.', cause: error });
  }
}

function dispatchOf(
  { fields, files }: MessageBody,
  { recipient, query }: PostTarget,
  peer: ClientInfo,
): SendRequest {
  return {
    ...parseMessage(fields, parseForm(query), recipient),
    files,
    linkBase: () => requestBaseUrl(peer),
  };
}

async function sendForm(
  deps: MessageEndpointServices,
  sender: ApiClient,
  dispatch: SendRequest,
  key: string | undefined,
): Promise<MessageOutcome> {
  const work = async () => {
    const posted = await sendMessages(deps, sender, dispatch);
    return { answer: toMessageOutcome(posted), isFinal: mustNotRepeat(posted) };
  };
  if (key === undefined) return (await work()).answer;
  // Two tokens may speak as the same JID.
  const whose = sender.token ? hashToken(sender.token.token).slice(0, 16) : '';
  const named = { owner: sender.jid, key: `${whose}:${key}`, digest: digestOf(dispatch) };
  return await runIdempotent(deps, named, work);
}

/** Of all that decides what is sent, whatever form it came in. */
function digestOf({ to, message, room, files }: SendRequest): string {
  const parts = files.map(({ name, type, size, sha256 }) => [name, type, size, sha256]);
  return sha256Hex(JSON.stringify([to, { ...message, html: message.html?.toString() }, room, parts]));
}

/** A string of structured fields (RFC 9651), as the draft has it, or what else somebody makes up. */
function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? text;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Refusal('bad_request', { text: 'An Idempotency-Key has 1 to 255 printable ASCII characters.' });
}

export function sendResponse(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, headers, body }: HttpResponse,
): FastifyReply {
  if (request.raw.complete || reply.raw.destroyed) return reply.code(status).headers(headers).send(body);
  // The rest of the body is not wanted any more, but the client has to live to read this.
  reply.hijack();
  reply.raw.shouldKeepAlive = false;
  reply.raw.writeHead(status, headers);
  reply.raw.write(body);
  drainRequest(request.raw, reply.raw);
  return reply;
}

/** Requests that came to nothing; what became of messages is noted where they are sent. */
function note(
  { log, metrics, settings }: MessageEndpointServices,
  request: FastifyRequest,
  error: unknown,
): void {
  if (!(error instanceof Refusal)) {
    metrics.requestRefused('messages', 'internal');
    return;
  }
  metrics.requestRefused('messages', error.code);
  const { address } = getClientInfo(request.raw, settings().trustedProxies);
  log.info({ client: address, reason: error.code, text: error.message }, 'message refused');
}
