import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import {
  type Hook,
  type HookRegistry,
  type HookRequest,
  type HookServices,
  handleHookRequest,
} from '../../messages/hooks/handle-hook.ts';
import { verifyWebhookSignature } from '../../messages/hooks/signature.ts';
import { parseBearerToken } from '../common/authorization.ts';
import { getClientInfo } from '../common/client-info.ts';
import { MESSAGE_CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import type { HttpResponse } from '../common/error-response.ts';
import { requestBaseUrl } from '../common/request-base-url.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { readShortBody } from '../messages/message-body.ts';
import {
  disableBodyParsing,
  type MessageEndpointSettings,
  sendResponse,
} from '../messages/message-endpoint.ts';
import { type FormFields, parseForm, parseWait } from '../messages/message-fields.ts';
import {
  type MessageResponseContext,
  outcomeResponse,
  refusalResponse,
  toMessageOutcome,
} from '../messages/message-response.ts';
import { parseWebhookBody } from './webhook-body.ts';

export type WebhookEndpointServices = HookServices & {
  readonly settings: () => MessageEndpointSettings;
  readonly hooks: () => HookRegistry;
};

/** Programs post with one of these; Grafana lets its user choose. */
const METHODS = ['POST', 'PUT'];
const ALLOW = ['OPTIONS', ...METHODS].join(', ');

/** A payload lists a push of hundreds of commits, or a group of hundreds of alerts. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** `POST /msg/hooks/TOKEN`: messages in the forms of programs. `path` is `messages.path`. */
export function webhookEndpoint(deps: WebhookEndpointServices, path: string): FastifyPluginAsync {
  const root = `${path.replace(/\/+$/, '')}/hooks/`;
  return async (app) => {
    disableBodyParsing(app);
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method) && method !== 'OPTIONS');
    const url = `${root}*`;
    app.route({ method: METHODS, url, handler: (request, reply) => answerCall(deps, root, request, reply) });
    app.route({
      method: 'OPTIONS',
      url,
      handler: async (_, reply) =>
        reply.headers({ ...optionsHeaders(ALLOW), ...MESSAGE_CORS_HEADERS }).send(),
    });
    app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', { text: 'Programs post here.' });
}

async function answerCall(
  deps: WebhookEndpointServices,
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
    const bounceWait = parseWait(target.query.get('wait')?.[0]);
    return sendResponse(request, reply, await take(deps, hook, { to, bounceWait }, request, facts));
  } catch (error) {
    note(deps, request, hook, error);
    return sendResponse(request, reply, refusalResponse(error, facts));
  }
}

interface Target {
  /** Below `hooks/`, decoded. */
  readonly below: string;
  readonly query: FormFields;
  readonly bearer: string | undefined;
}

function readTarget({ raw, headers }: FastifyRequest, root: string): Target {
  const { url = '/' } = raw;
  const path = pathOfTarget(url);
  const query = parseForm(url.slice(path.length + 1));
  try {
    return {
      below: decodeURIComponent(path.slice(root.length)),
      query,
      bearer: parseBearerToken(headers.authorization),
    };
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The path is not validly encoded.', cause: error });
  }
}

/** The token is the first part of the path, or the bearer's; what follows it in the path is a recipient. */
function findHook(hooks: HookRegistry, { below, bearer }: Target): { hook: Hook; to: string | undefined } {
  const slash = below.indexOf('/');
  const first = slash < 0 ? below : below.slice(0, slash);
  const rest = slash < 0 ? '' : below.slice(slash + 1).replace(/\/+$/, '');
  const byPath = first === '' ? undefined : hooks.findByToken(first);
  const hook = byPath ?? (bearer === undefined ? undefined : hooks.findByToken(bearer));
  if (!hook) throw new Refusal('unauthorized', { text: 'No hook has this token.' });
  const inPath = byPath ? rest : below.replace(/\/+$/, '');
  return { hook, to: inPath === '' ? undefined : inPath };
}

async function take(
  deps: WebhookEndpointServices,
  hook: Hook,
  wishes: Pick<HookRequest, 'to' | 'bounceWait'>,
  request: FastifyRequest,
  facts: MessageResponseContext,
): Promise<HttpResponse> {
  const { trustedProxies, idleTimeoutMs } = deps.settings();
  const peer = getClientInfo(request.raw, trustedProxies);
  const bytes = await readShortBody(request.raw, {
    maxTextBytes: MAX_BODY_BYTES,
    idleTimeoutMs,
    memoryBudget: deps.transfers.memory,
  });
  const { payload, signedTexts } = await parseWebhookBody(bytes, request.headers['content-type'] ?? '');
  const { signature_secret: secret } = hook.rule;
  if (secret !== null) verifyWebhookSignature(secret, request.headers, signedTexts);
  const call: HookRequest = {
    ...wishes,
    event: { payload, eventName: eventOf(request) },
    linkBase: () => requestBaseUrl(peer),
  };
  const { format, results } = await handleHookRequest(deps, hook, call);
  const answer = results.length === 0 ? NOTHING_TOLD : outcomeResponse(toMessageOutcome(results), facts);
  return format === 'slack' && answer.status < 300 ? SLACK_OK : answer;
}

const EVENT_HEADERS = ['x-github-event', 'x-gitea-event', 'x-forgejo-event', 'x-gogs-event'];

function eventOf({ headers }: FastifyRequest): string | undefined {
  const found = EVENT_HEADERS.map((name) => headers[name]).find((value) => typeof value === 'string');
  return typeof found === 'string' ? found.slice(0, 100) : undefined;
}

/** As an alert that ends where nobody wants to hear of it. */
const NOTHING_TOLD: HttpResponse = { status: 204, headers: {}, body: '' };

/** What Slack says, and all that some programs take for a success: Matterbridge wants this very status. */
const SLACK_OK: HttpResponse = {
  status: 200,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '2' },
  body: 'ok',
};

function note(
  { log, metrics, settings }: WebhookEndpointServices,
  request: FastifyRequest,
  hook: Hook | undefined,
  error: unknown,
): void {
  if (!(error instanceof Refusal)) {
    metrics.requestRefused('messages', 'internal');
    return;
  }
  metrics.requestRefused('messages', error.code);
  const { address } = getClientInfo(request.raw, settings().trustedProxies);
  const facts = { client: address, hook: hook?.rule.name, reason: error.code, text: error.message };
  log.info(facts, 'hook refused');
}
