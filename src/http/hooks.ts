import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../base/errors.ts';
import { type Hook, type HookDeps, type HookRequest, type Hooks, takeHook } from '../messages/hooks/hook.ts';
import { checkSignature } from '../messages/hooks/signature.ts';
import { askedUrl } from './asked-url.ts';
import { bearerOf } from './authorization.ts';
import { MESSAGE_CORS, optionsHeaders } from './cors.ts';
import { readHookBody } from './hook-body.ts';
import { type AnswerFacts, answerOutcome, answerRefusal, outcomeOf } from './message-answer.ts';
import { readAll } from './message-body.ts';
import { type Fields, readForm, readWait } from './message-fields.ts';
import { leaveBodies, type MessageSettings, write } from './messages.ts';
import { pathOf } from './paths.ts';
import { peerOf } from './peer.ts';
import type { Answer } from './reply.ts';

export interface HookDoorDeps extends HookDeps {
  readonly door: () => MessageSettings;
  readonly hooks: () => Hooks;
}

/** Programs post with one of these; Grafana lets its user choose. */
const METHODS = ['POST', 'PUT'];
const ALLOW = ['OPTIONS', ...METHODS].join(', ');

/** A payload lists a push of hundreds of commits, or a group of hundreds of alerts. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** `POST /msg/hooks/TOKEN`: messages in the forms of programs. `path` is `messages.path`. */
export function hookDoor(deps: HookDoorDeps, path: string): FastifyPluginAsync {
  const root = `${path.replace(/\/+$/, '')}/hooks/`;
  return async (app) => {
    leaveBodies(app);
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method) && method !== 'OPTIONS');
    const url = `${root}*`;
    app.route({ method: METHODS, url, handler: (request, reply) => answerCall(deps, root, request, reply) });
    app.route({
      method: 'OPTIONS',
      url,
      handler: async (_, reply) => reply.headers({ ...optionsHeaders(ALLOW), ...MESSAGE_CORS }).send(),
    });
    app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', { text: 'Programs post here.' });
}

async function answerCall(
  deps: HookDoorDeps,
  root: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const facts = { log: deps.log, now: deps.clock(), accept: request.headers.accept, realm: 'hooks' };
  let hook: Hook | undefined;
  try {
    const target = readTarget(request, root);
    const found = findHook(deps.hooks(), target);
    hook = found.hook;
    const to = found.to ?? target.query.get('to')?.[0];
    const bounceWait = readWait(target.query.get('wait')?.[0]);
    return write(request, reply, await take(deps, hook, { to, bounceWait }, request, facts));
  } catch (error) {
    note(deps, request, hook, error);
    return write(request, reply, answerRefusal(error, facts));
  }
}

interface Target {
  /** Below `hooks/`, decoded. */
  readonly below: string;
  readonly query: Fields;
  readonly bearer: string | undefined;
}

function readTarget({ raw, headers }: FastifyRequest, root: string): Target {
  const { url = '/' } = raw;
  const path = pathOf(url);
  const query = readForm(url.slice(path.length + 1));
  try {
    return {
      below: decodeURIComponent(path.slice(root.length)),
      query,
      bearer: bearerOf(headers.authorization),
    };
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The path is not validly encoded.', cause: error });
  }
}

/** The token is the first part of the path, or the bearer's; what follows it in the path is a recipient. */
function findHook(hooks: Hooks, { below, bearer }: Target): { hook: Hook; to: string | undefined } {
  const slash = below.indexOf('/');
  const first = slash < 0 ? below : below.slice(0, slash);
  const rest = slash < 0 ? '' : below.slice(slash + 1).replace(/\/+$/, '');
  const byPath = first === '' ? undefined : hooks.find(first);
  const hook = byPath ?? (bearer === undefined ? undefined : hooks.find(bearer));
  if (!hook) throw new Refusal('unauthorized', { text: 'No hook has this token.' });
  const inPath = byPath ? rest : below.replace(/\/+$/, '');
  return { hook, to: inPath === '' ? undefined : inPath };
}

async function take(
  deps: HookDoorDeps,
  hook: Hook,
  wishes: Pick<HookRequest, 'to' | 'bounceWait'>,
  request: FastifyRequest,
  facts: AnswerFacts,
): Promise<Answer> {
  const { trustedProxies, idleTimeout } = deps.door();
  const peer = peerOf(request.raw, trustedProxies);
  const bytes = await readAll(request.raw, {
    maxText: MAX_BODY_BYTES,
    idleTimeout,
    pace: deps.transfers.pace,
  });
  const { payload, signed } = await readHookBody(bytes, request.headers['content-type'] ?? '');
  const { signature_secret: secret } = hook.rule;
  if (secret !== null) checkSignature(secret, request.headers, signed);
  const call: HookRequest = {
    ...wishes,
    call: { payload, event: eventOf(request) },
    linkBase: () => askedUrl(peer),
  };
  const { format, posted } = await takeHook(deps, hook, call);
  const answer = posted.length === 0 ? NOTHING_TOLD : answerOutcome(outcomeOf(posted), facts);
  return format === 'slack' && answer.status < 300 ? SLACK_OK : answer;
}

const EVENT_HEADERS = ['x-github-event', 'x-gitea-event', 'x-forgejo-event', 'x-gogs-event'];

function eventOf({ headers }: FastifyRequest): string | undefined {
  const found = EVENT_HEADERS.map((name) => headers[name]).find((value) => typeof value === 'string');
  return typeof found === 'string' ? found.slice(0, 100) : undefined;
}

/** As an alert that ends where nobody wants to hear of it. */
const NOTHING_TOLD: Answer = { status: 204, headers: {}, body: '' };

/** What Slack says, and all that some programs take for a success: Matterbridge wants this very status. */
const SLACK_OK: Answer = {
  status: 200,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '2' },
  body: 'ok',
};

function note(
  { log, meter, door }: HookDoorDeps,
  request: FastifyRequest,
  hook: Hook | undefined,
  error: unknown,
): void {
  if (!(error instanceof Refusal)) {
    meter.refused('messages', 'internal');
    return;
  }
  meter.refused('messages', error.code);
  const { address } = peerOf(request.raw, door().trustedProxies);
  const facts = { client: address, hook: hook?.rule.name, reason: error.code, text: error.message };
  log.info(facts, 'hook refused');
}
