import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/ids.ts';
import { once } from '../messages/once.ts';
import { type Dispatch, type SendDeps, send } from '../messages/send.ts';
import { identify, type Sender, tokenHash } from '../messages/senders.ts';
import { boundsFor } from '../uploads/bounds.ts';
import { askedUrl } from './asked-url.ts';
import { requireCredentials } from './authorization.ts';
import { MESSAGE_CORS, optionsHeaders } from './cors.ts';
import { linger } from './linger.ts';
import { answerOutcome, answerRefusal, isFinal, type MessageOutcome, outcomeOf } from './message-answer.ts';
import { MESSAGE_FORMATS, readMessageBody, unknownType } from './message-body.ts';
import { readForm, readMessage } from './message-fields.ts';
import type { MessageForm } from './message-form.ts';
import { pathOf } from './paths.ts';
import { type AddressMatcher, type Peer, peerOf } from './peer.ts';
import type { Answer } from './reply.ts';

/** What a reload may change. */
export interface MessageSettings {
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeout: number;
}

export interface MessageDoorDeps extends SendDeps {
  readonly door: () => MessageSettings;
}

const ALLOW = 'OPTIONS, POST';

/** `POST /msg/RECIPIENT`: messages from scripts. `path` is `messages.path`. */
export function messageDoor(deps: MessageDoorDeps, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  const realm = `${root.slice(1) || 'messages'}`;
  const place: Place = { root, realm, forms: 0 };
  return async (app) => {
    leaveBodies(app);
    app.setErrorHandler((error, request, reply) => {
      const facts = { log: deps.log, now: deps.clock(), accept: request.headers.accept, realm };
      return write(request, reply, answerRefusal(isTypeless(error) ? unknownType() : error, facts));
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
export function leaveBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** The framework looks at the type before we do. */
function isTypeless(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}

async function answerOptions(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = { ...optionsHeaders(ALLOW), ...MESSAGE_CORS, Accept: MESSAGE_FORMATS.join(', ') };
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
  deps: MessageDoorDeps,
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
    return write(request, reply, answerOutcome(await takePost(deps, place, request), facts()));
  } catch (error) {
    note(deps, request, error);
    return write(request, reply, answerRefusal(error, facts()));
  }
}

async function takePost(
  deps: MessageDoorDeps,
  place: Place,
  request: FastifyRequest,
): Promise<MessageOutcome> {
  const peer = peerOf(request.raw, deps.door().trustedProxies);
  const key = readKey(request.headers['idempotency-key']);
  const target = readTarget(request.raw.url ?? '/', place.root);
  const credentials = requireCredentials(request.headers.authorization);
  const sender = await identify(deps, credentials, peer.address);
  const take = () => takeBody(deps, request, sender, key, (form) => dispatchOf(form, target, peer));
  if (!/^multipart\//i.test(request.headers['content-type'] ?? '')) return await take();
  if (place.forms >= MAX_FORMS) throw new Refusal('busy');
  place.forms += 1;
  return await take().finally(() => {
    place.forms -= 1;
  });
}

async function takeBody(
  deps: MessageDoorDeps,
  request: FastifyRequest,
  sender: Sender,
  key: string | undefined,
  dispatchOfForm: (form: MessageForm) => Dispatch,
): Promise<MessageOutcome> {
  const form = await readMessageBody(request.raw, {
    maxText: deps.messages().maxSize,
    files: () => boundsFor(deps, sender.jid),
    idleTimeout: deps.door().idleTimeout,
    pace: deps.transfers.pace,
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
  const path = pathOf(url);
  try {
    const recipient = decodeURIComponent(path.slice(root.length + 1));
    return { recipient, query: url.slice(path.length + 1) };
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The path is not validly encoded.', cause: error });
  }
}

function dispatchOf({ fields, files }: MessageForm, { recipient, query }: PostTarget, peer: Peer): Dispatch {
  return { ...readMessage(fields, readForm(query), recipient), files, linkBase: () => askedUrl(peer) };
}

async function sendForm(
  deps: MessageDoorDeps,
  sender: Sender,
  dispatch: Dispatch,
  key: string | undefined,
): Promise<MessageOutcome> {
  const work = async () => {
    const posted = await send(deps, sender, dispatch);
    return { answer: outcomeOf(posted), final: isFinal(posted) };
  };
  if (key === undefined) return (await work()).answer;
  // Two tokens may speak as the same JID.
  const whose = sender.token ? tokenHash(sender.token.token).slice(0, 16) : '';
  const named = { owner: sender.jid, key: `${whose}:${key}`, digest: digestOf(dispatch) };
  return await once(deps, named, work);
}

/** Of all that decides what is sent, whatever form it came in. */
function digestOf({ to, letter, room, files }: Dispatch): string {
  const parts = files.map(({ name, type, size, sha256 }) => [name, type, size, sha256]);
  return sha256Hex(JSON.stringify([to, { ...letter, html: letter.html?.toString() }, room, parts]));
}

/** A string of structured fields (RFC 9651), as the draft has it, or what else somebody makes up. */
function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? text;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Refusal('bad_request', { text: 'An Idempotency-Key has 1 to 255 printable ASCII characters.' });
}

export function write(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, headers, body }: Answer,
): FastifyReply {
  if (request.raw.complete || reply.raw.destroyed) return reply.code(status).headers(headers).send(body);
  // The rest of the body is not wanted any more, but the client has to live to read this.
  reply.hijack();
  reply.raw.shouldKeepAlive = false;
  reply.raw.writeHead(status, headers);
  reply.raw.write(body);
  linger(request.raw, reply.raw);
  return reply;
}

/** Requests that came to nothing; what became of messages is noted where they are sent. */
function note({ log, meter, door }: MessageDoorDeps, request: FastifyRequest, error: unknown): void {
  if (!(error instanceof Refusal)) {
    meter.refused('messages', 'internal');
    return;
  }
  meter.refused('messages', error.code);
  const { address } = peerOf(request.raw, door().trustedProxies);
  log.info({ client: address, reason: error.code, text: error.message }, 'message refused');
}
