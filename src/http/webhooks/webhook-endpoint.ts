import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import {
  type Hook,
  type HookRegistry,
  type HookRequest,
  type HookServices,
  handleHookRequest,
} from '../../messages/hooks/handle-hook.ts';
import type { HookCallLog } from '../../messages/hooks/hook-call-log.ts';
import type { HookAnswer } from '../../messages/hooks/hook-message.ts';
import { verifyWebhookSignature } from '../../messages/hooks/signature.ts';
import { parseAuthorization } from '../common/authorization.ts';
import { getClientInfo, requestBaseUrl } from '../common/client-info.ts';
import { MESSAGE_CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import type { HttpResponse } from '../common/error-response.ts';
import { type FormFields, parseForm, parseWait } from '../common/form-fields.ts';
import { disableBodyParsing, type EndpointSettings, readBody } from '../common/read-body.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendResponse } from '../common/send-response.ts';
import {
  type MessageResponseContext,
  outcomeResponse,
  refusalResponse,
  toMessageOutcome,
} from '../messages/message-response.ts';
import { parseWebhookBody } from './webhook-body.ts';

export type WebhookEndpointServices = HookServices & {
  readonly settings: () => EndpointSettings;
  readonly hooks: () => HookRegistry;
  readonly calls: Pick<HookCallLog, 'add'>;
};

/** Programs send one of these; in Grafana the user selects it. */
const METHODS = ['POST', 'PUT'];
const ALLOW = ['OPTIONS', ...METHODS].join(', ');

/** A payload may list hundreds of commits or alerts. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** `POST /msg/hooks/TOKEN`: webhooks of programs, sent as messages. `path` is `messages.path`. */
export function webhookEndpoint(services: WebhookEndpointServices, path: string): FastifyPluginAsync {
  const root = `${path.replace(/\/+$/, '')}/hooks/`;
  return async (app) => {
    disableBodyParsing(app);
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method) && method !== 'OPTIONS');
    const url = `${root}*`;
    app.route({
      method: METHODS,
      url,
      handler: (request, reply) => handleCall(services, root, request, reply),
    });
    app.route({
      method: 'OPTIONS',
      url,
      handler: async ({ raw }, reply) =>
        reply.headers({ ...optionsHeaders(ALLOW, raw), ...MESSAGE_CORS_HEADERS }).send(),
    });
    app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', { text: 'Webhooks accept POST and PUT.' });
}

async function handleCall(
  services: WebhookEndpointServices,
  root: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const context = {
    log: services.log,
    now: services.clock(),
    accept: request.headers.accept,
    realm: 'hooks',
  };
  let hook: Hook | undefined;
  try {
    const target = parseTarget(request, root);
    const found = findHook(services.hooks(), target);
    hook = found.hook;
    const to = found.to ?? target.query.get('to')?.[0];
    const bounceWait = parseBounceWait(target.query.get('wait')?.[0]);
    const options = { to, bounceWait, query: target.query };
    const response = await receiveHook(services, hook, options, request, context);
    recordCall(services, request, hook, response);
    return sendResponse(request, reply, response);
  } catch (error) {
    logRefusal(services, request, hook, error);
    const response = refusalResponse(error, context);
    if (hook) recordCall(services, request, hook, response, error);
    return sendResponse(request, reply, response);
  }
}

/** Records the call for the web page. */
function recordCall(
  { calls, clock, settings }: WebhookEndpointServices,
  { raw, headers }: FastifyRequest,
  { rule }: Hook,
  { status }: Pick<HttpResponse, 'status'>,
  error?: unknown,
): void {
  const { address } = getClientInfo(raw, settings().trustedProxies);
  const program = headers['user-agent'] ?? '';
  const refusal = error instanceof Refusal ? error.message : '';
  calls.add({ hook: rule.name, at: clock(), status, address, program, refusal });
}

interface WebhookTarget {
  /** The path below `hooks/`, decoded. */
  readonly below: string;
  readonly query: FormFields;
  /** Tokens of headers and of the query. */
  readonly tokens: readonly string[];
}

/** Programs for Discord send `?wait=true`, which asks for the id of the message and is not a time. */
function parseBounceWait(text: string | undefined): number | undefined {
  return text === 'true' || text === 'false' ? undefined : parseWait(text);
}

function parseTarget({ raw, headers }: FastifyRequest, root: string): WebhookTarget {
  const { url = '/' } = raw;
  const path = pathOfTarget(url);
  const query = parseForm(url.slice(path.length + 1));
  try {
    return {
      below: decodeURIComponent(path.slice(root.length)),
      query,
      tokens: readTokens(headers, query),
    };
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The path has an invalid percent-encoding.', cause: error });
  }
}

/**
 * Returns the tokens outside the path: a bearer token, the password of Basic (Sonarr, ntfy), and the key that programs for Gotify
 * send in a header or in the query.
 */
function readTokens(headers: IncomingHttpHeaders, query: FormFields): string[] {
  const credentials = parseAuthorization(headers.authorization);
  const fromHeader =
    typeof credentials === 'string'
      ? []
      : [credentials.kind === 'bearer' ? credentials.token : credentials.password];
  const keys = [headers['x-gotify-key'], query.get('token')?.[0]];
  return [...fromHeader, ...keys.filter((key) => typeof key === 'string')].filter((token) => token !== '');
}

/** Programs for Gotify append this to the address of their server. */
const GOTIFY_PATH = 'message';

/**
 * Finds the hook by its token: the first segment of the path, or one of the other tokens. The rest of the path is a recipient.
 * Throws `Refusal` (`unauthorized`) if no hook has one of the tokens.
 */
function findHook(
  hooks: HookRegistry,
  { below, tokens }: WebhookTarget,
): { hook: Hook; to: string | undefined } {
  const slash = below.indexOf('/');
  const first = slash < 0 ? below : below.slice(0, slash);
  const rest = slash < 0 ? '' : below.slice(slash + 1).replace(/\/+$/, '');
  const byPath = first === '' ? undefined : hooks.findByToken(first);
  const hook = byPath ?? tokens.map((token) => hooks.findByToken(token)).find((found) => found !== undefined);
  if (!hook) throw new Refusal('unauthorized', { text: 'The token of this webhook is unknown.' });
  const inPath = byPath ? rest : below.replace(/\/+$/, '');
  return { hook, to: inPath === '' || inPath === GOTIFY_PATH ? undefined : inPath };
}

async function receiveHook(
  services: WebhookEndpointServices,
  hook: Hook,
  { query, ...options }: Pick<HookRequest, 'to' | 'bounceWait'> & { readonly query: FormFields },
  request: FastifyRequest,
  context: MessageResponseContext,
): Promise<HttpResponse> {
  const { trustedProxies, idleTimeoutMs } = services.settings();
  const client = getClientInfo(request.raw, trustedProxies);
  const bytes = await readBody(request.raw, {
    maxBytes: MAX_BODY_BYTES,
    idleTimeoutMs,
    memoryBudget: services.transfers.memory,
    content: 'message',
  });
  const { payload, signedTexts } = await parseWebhookBody(bytes, request.headers['content-type'] ?? '');
  const { signature_secret: secret } = hook.rule;
  if (secret !== null) {
    verifyWebhookSignature({ secret, headers: request.headers, texts: signedTexts, now: services.clock() });
  }
  const call: HookRequest = {
    ...options,
    event: { payload, header: headerReader(request), query: (name) => query.get(name)?.[0] },
    linkBase: () => requestBaseUrl(client),
  };
  const { results, answer } = await handleHookRequest(services, hook, call);
  const response = results.length === 0 ? NO_MESSAGE : outcomeResponse(toMessageOutcome(results), context);
  return answer !== undefined && response.status < 300 ? toResponse(answer) : response;
}

function headerReader({ headers }: FastifyRequest): (name: string) => string | undefined {
  return (name) => {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  };
}

function toResponse({ status, type, body }: HookAnswer): HttpResponse {
  const length = { 'Content-Length': String(Buffer.byteLength(body)) };
  return { status, headers: type === undefined ? {} : { 'Content-Type': type, ...length }, body };
}

/** For a payload that needs no message, such as a resolved alert with `resolved: false`. */
const NO_MESSAGE: HttpResponse = { status: 204, headers: {}, body: '' };

function logRefusal(
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
  const details = { client: address, hook: hook?.rule.name, reason: error.code, text: error.message };
  log.info(details, 'hook refused');
}
