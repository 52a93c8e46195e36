import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { networkOf } from '../../base/addresses.ts';
import type { SharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { type ApiClient, hashToken } from '../../messages/authenticate.ts';
import { runIdempotent } from '../../messages/idempotency.ts';
import type { MessageServices } from '../../messages/message-services.ts';
import { type SendRequest, sendMessages } from '../../messages/send-messages.ts';
import { authenticateWithUserTokens } from '../../messages/user-tokens.ts';
import { uploadBoundsFor } from '../../uploads/grant-slot.ts';
import { requireCredentials } from '../common/authorization.ts';
import { type ClientInfo, getClientInfo, requestBaseUrl } from '../common/client-info.ts';
import { MESSAGE_CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import { isDoctorRequest } from '../common/doctor-requests.ts';
import { parseForm } from '../common/form-fields.ts';
import { disableBodyParsing, type EndpointSettings } from '../common/read-body.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendResponse } from '../common/send-response.ts';
import { MESSAGE_MEDIA_TYPES, readMessageBody, unsupportedMediaType } from './message-body.ts';
import { parseMessage } from './message-fields.ts';
import {
  type MessageOutcome,
  mustNotRepeat,
  outcomeResponse,
  refusalResponse,
  toMessageOutcome,
} from './message-response.ts';
import type { MessageBody } from './multipart-form.ts';
import { createSpoolLimit, SPOOL_TIMEOUT_MS } from './spool.ts';

export interface MessageEndpointSettings extends EndpointSettings {
  /** `uploads.total_timeout`: milliseconds after which a form with files fails. */
  readonly totalTimeoutMs: number;
}

export type MessageEndpointServices = MessageServices & {
  readonly settings: () => MessageEndpointSettings;
};

const ALLOW = 'OPTIONS, POST';

interface EndpointState {
  readonly root: string;
  readonly realm: string;
  /** Admits multipart forms that are being received. */
  readonly limitForms: SharedLimit;
}

/** `POST /msg/RECIPIENT`: messages from scripts. `path` is `messages.path`. */
export function messageEndpoint(services: MessageEndpointServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  const realm = root.slice(1) || 'messages';
  const limitForms = createSpoolLimit();
  const state: EndpointState = { root, realm, limitForms };
  return async (app) => {
    disableBodyParsing(app);
    app.setErrorHandler((error, request, reply) => {
      const context = { log: services.log, now: services.clock(), accept: request.headers.accept, realm };
      return sendResponse(
        request,
        reply,
        refusalResponse(isUnsupportedType(error) ? unsupportedMediaType() : error, context),
      );
    });
    const others = app.supportedMethods.filter((method) => !['POST', 'OPTIONS'].includes(method));
    for (const url of [root, `${root}/*`]) {
      app.route({
        method: 'POST',
        url,
        handler: (request, reply) => handlePost(services, state, request, reply),
      });
      app.route({ method: 'OPTIONS', url, handler: answerOptions });
      app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
    }
  };
}

/** Fastify checks the type before the handler runs. */
function isUnsupportedType(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}

async function answerOptions({ raw }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = {
    ...optionsHeaders(ALLOW, raw),
    ...MESSAGE_CORS_HEADERS,
    Accept: MESSAGE_MEDIA_TYPES.join(', '),
  };
  return reply.headers(headers).send();
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', { text: 'Send messages with POST.' });
}

async function handlePost(
  services: MessageEndpointServices,
  state: EndpointState,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const context = () => ({
    log: services.log,
    now: services.clock(),
    accept: request.headers.accept,
    realm: state.realm,
  });
  try {
    const outcome = await receiveMessage(services, state, request);
    return sendResponse(request, reply, outcomeResponse(outcome, context()));
  } catch (error) {
    logRefusal(services, request, error);
    return sendResponse(request, reply, refusalResponse(error, context()));
  }
}

/** Authenticates the client before the body is read. */
async function receiveMessage(
  services: MessageEndpointServices,
  state: EndpointState,
  request: FastifyRequest,
): Promise<MessageOutcome> {
  const client = getClientInfo(request.raw, services.settings().trustedProxies);
  const key = parseIdempotencyKey(request.headers['idempotency-key']);
  const target = parseTarget(request.raw.url ?? '/', state.root);
  const credentials = requireCredentials(request.headers.authorization);
  const sender = await authenticateWithUserTokens(services, credentials, client.address, 'message');
  const readAndSend = () =>
    readBodyAndSend(services, request, sender, key, (body) => ({
      ...toSendRequest(body, target, client),
      isProbe: isDoctorRequest(request.raw),
    }));
  if (!/^multipart\//i.test(request.headers['content-type'] ?? '')) return await readAndSend();
  return await state.limitForms(
    [`network ${networkOf(client.address)}`, `sender ${sender.jid}`],
    readAndSend,
  );
}

async function readBodyAndSend(
  services: MessageEndpointServices,
  request: FastifyRequest,
  sender: ApiClient,
  key: string | undefined,
  createRequest: (body: MessageBody) => SendRequest,
): Promise<MessageOutcome> {
  const { idleTimeoutMs, totalTimeoutMs } = services.settings();
  const body = await readMessageBody(request.raw, {
    maxTextBytes: services.messageRules().maxSize,
    fileLimits: () => uploadBoundsFor(services, sender.jid),
    idleTimeoutMs,
    totalTimeoutMs: Math.min(totalTimeoutMs, SPOOL_TIMEOUT_MS),
    createSpoolFile: services.blobs.createSpoolFile,
    checkSpace: () => services.spaceReserve.checkWhileWriting(),
    memoryBudget: services.transfers.memory,
    types: services.rules().types,
  });
  try {
    return await send(services, sender, createRequest(body), key);
  } finally {
    await body.discard();
  }
}

interface MessageTarget {
  /** Decoded; empty if the path names no recipient. */
  readonly recipient: string;
  readonly query: string;
}

function parseTarget(url: string, root: string): MessageTarget {
  const path = pathOfTarget(url);
  try {
    const recipient = decodeURIComponent(path.slice(root.length + 1));
    return { recipient, query: url.slice(path.length + 1) };
  } catch (error) {
    throw new Refusal('bad_request', {
      text: 'The path has an invalid percent-encoding.',
      cause: error,
    });
  }
}

function toSendRequest(
  { fields, files }: MessageBody,
  { recipient, query }: MessageTarget,
  client: ClientInfo,
): SendRequest {
  return {
    ...parseMessage(fields, parseForm(query), recipient),
    files,
    linkBase: () => requestBaseUrl(client),
  };
}

async function send(
  services: MessageEndpointServices,
  sender: ApiClient,
  request: SendRequest,
  key: string | undefined,
): Promise<MessageOutcome> {
  const run = async () => {
    const results = await sendMessages(services, sender, request);
    return { answer: toMessageOutcome(results), isFinal: mustNotRepeat(results) };
  };
  if (key === undefined) return (await run()).answer;
  // Two tokens may send as the same JID, so the key is unique per token.
  const tokenPrefix = sender.token ? hashToken(sender.token.token).slice(0, 16) : '';
  const idempotent = { owner: sender.jid, key: `${tokenPrefix}:${key}`, digest: digestOf(request) };
  return await runIdempotent(services, idempotent, run);
}

/** Returns a digest of everything that is sent, independent of the format of the body. */
function digestOf({ to, message, room, files }: SendRequest): string {
  const parts = files.map(({ name, type, size, sha256 }) => [name, type, size, sha256]);
  return sha256Hex(JSON.stringify([to, { ...message, html: message.html?.toString() }, room, parts]));
}

/**
 * Parses an `Idempotency-Key`: a string of structured fields (RFC 9651), as in draft-ietf-httpapi-idempotency-key-header, or
 * any other printable text. Throws `Refusal` (`bad_request`).
 */
function parseIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? text;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Refusal('bad_request', {
    text: 'The Idempotency-Key must have 1 to 255 printable ASCII characters.',
  });
}

/** Logs requests that were refused as a whole. The results of single messages are logged by `sendMessages`. */
function logRefusal(
  { log, metrics, settings }: MessageEndpointServices,
  request: FastifyRequest,
  error: unknown,
): void {
  if (!(error instanceof Refusal)) {
    metrics.requestRefused('messages', 'internal');
    return;
  }
  metrics.requestRefused('messages', error.code);
  if (isDoctorRequest(request.raw)) return;
  const { address } = getClientInfo(request.raw, settings().trustedProxies);
  log.info({ client: address, reason: error.code, text: error.message }, 'message refused');
}
