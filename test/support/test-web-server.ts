import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import { createAddressMatcher } from '../../src/base/addresses.ts';
import { Refusal } from '../../src/base/errors.ts';
import { sha256Hex } from '../../src/base/ids.ts';
import { createFileServer } from '../../src/http/files/file-server.ts';
import { fileShareEndpoint } from '../../src/http/signed-links/file-share-endpoint.ts';
import { webhookEndpoint } from '../../src/http/webhooks/webhook-endpoint.ts';
import type { MessageSender, MessageSenders } from '../../src/messages/delivery/message-sender.ts';
import { compileHooks, type HookRule } from '../../src/messages/hooks/handle-hook.ts';
import { createHookCallLog } from '../../src/messages/hooks/hook-call-log.ts';
import { createImageFetcher } from '../../src/messages/hooks/image-fetcher.ts';
import { createPartialDeliveries } from '../../src/messages/hooks/partial-deliveries.ts';
import type { MessageServices } from '../../src/messages/message-services.ts';
import { createOutbox } from '../../src/messages/queue/outbox.ts';
import type { Shrinker } from '../../src/uploads/thumbnails/shrinker.ts';
import { createThumbnails } from '../../src/uploads/thumbnails/thumbnails.ts';
import { API_PREFIX, type OperationId, routeDefinitions } from '../../src/web/api/definitions.ts';
import type { RouteDefinition } from '../../src/web/api/route.ts';
import { problemSchema } from '../../src/web/api/schemas.ts';
import { webEndpoint } from '../../src/web/web-endpoint.ts';
import type { WebServices, WebSettings } from '../../src/web/web-services.ts';
import { createLoginThrottle } from '../../src/xmpp/client/login-throttle.ts';
import type { HttpResponse } from './http.ts';
import { serveEndpoints } from './serve-endpoints.ts';
import { openTestServices, type TestServices } from './test-services.ts';

export const ROMEO = 'romeo@example.org';
export const JULIET = 'juliet@example.org';
export const MODERATOR = 'moderator@example.org';
export const ADMIN = 'admin@example.org';
export const PASSWORD = 'wherefore';
export const ADMIN_TOKEN = 'admin-token-of-the-config';
/** Path and secret of links that an XMPP server signs. */
export const FILE_SHARE_PATH = '/file_share/';
export const LINK_SECRET = 'secret of the XMPP server';

/** The credentials of a client: a cookie with its CSRF token, or a bearer token. */
export interface TestClient {
  readonly headers: Readonly<Record<string, string>>;
}

export const anonymous: TestClient = { headers: {} };
export const bearer = (token: string): TestClient => ({ headers: { Authorization: `Bearer ${token}` } });

export interface ApiRequest {
  readonly as?: TestClient;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Instead of `body`: the text of the body, which may be invalid JSON. */
  readonly rawBody?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestWebServer extends TestServices {
  readonly port: number;
  /** The text of every message that was sent, with its recipient. */
  readonly messages: { readonly to: string; readonly body: string }[];
  /** Makes every further message fail with this refusal. */
  failMessages(refusal: Refusal): void;
  /** Writes the remembered calls of hooks to the ledger. */
  flushHookCalls(): Promise<void>;
  setSettings(change: Partial<WebSettings>): void;
  request(
    path: string,
    options?: Parameters<Awaited<ReturnType<typeof serveEndpoints>>['request']>[1],
  ): Promise<HttpResponse>;
  /** Sends a request of the API, and checks the form of its answer: that of the route, or of problem details. */
  call(id: OperationId, request?: ApiRequest): Promise<HttpResponse & { readonly json: never }>;
  /** Like `call`, for a request that must be answered with the status of success. Returns the JSON body. */
  ok<T = Record<string, never>>(id: OperationId, request?: ApiRequest): Promise<T>;
  /** Signs in by the password. */
  signIn(jid: string): Promise<TestClient>;
}

/** The page, its API and the file endpoints on a real socket, with real stores. Logins and messages are simulated. */
export async function startTestWebServer(
  t: TestContext,
  options: {
    readonly settings?: Partial<WebSettings>;
    readonly hooks?: readonly HookRule[];
    /** Makes thumbnails. Without it, they are off. */
    readonly shrinker?: Shrinker;
  } = {},
): Promise<TestWebServer> {
  const stores = await openTestServices(t);
  const messages: { to: string; body: string }[] = [];
  let failure: Refusal | undefined;
  const createSender = (jid: string): MessageSender => ({
    jid,
    deliver: async (message) => {
      if (failure) throw failure;
      messages.push({
        to: String(message.attrs.to),
        body: message.getChild('body')?.children.join('') ?? '',
      });
    },
    sendIq: () => Promise.reject(new Error('not used')),
    sendStanza: () => Promise.reject(new Error('not used')),
  });
  const senders: MessageSenders = {
    async openAccountSender({ jid, password }) {
      if (password !== PASSWORD) throw new Refusal('credentials_wrong');
      return createSender(`${jid.toLowerCase()}/porter`);
    },
    componentSender: createSender,
  };
  let settings: WebSettings = {
    path: '/web/',
    title: 'Files of example.org',
    contacts: ['mailto:abuse@example.org'],
    admins: [ADMIN],
    moderators: [MODERATOR],
    adminTokenHash: sha256Hex(ADMIN_TOKEN),
    signIn: ['password', 'link'],
    guestLinks: true,
    linkBasesFor: () => ({ putBase: null, getBase: null }),
    baseUrls: [],
    linkSenderFor: () => 'upload.example.org',
    trustedProxies: createAddressMatcher(['127.0.0.0/8']),
    idleTimeoutMs: 60_000,
    maySignIn: (account) => account.endsWith('@example.org'),
    ...options.settings,
  };
  const hooks = options.hooks && createTestHooks({ ...stores.services, senders }, options.hooks);
  const services: WebServices = {
    ...stores.services,
    thumbnails: options.shrinker && createThumbnails(stores.services, options.shrinker),
    hooks,
    senders,
    secretGuard: createLoginThrottle(stores.services.clock),
    settings: () => settings,
    overview: {
      version: '0.0.0',
      globalQuota: () => null,
      streams: async () => [{ jid: 'upload.example.org', up: true, reason: null }],
      config: () => ({ file: 'porter.yml', warnings: [], options: { workers: 1 } }),
      configLines: () => ({ 'access[0]': 3 }),
      runDoctor: async () => ({ ok: true, findings: [{ check: 'disk', state: 'ok', text: 'Fine.' }] }),
    },
  };
  const files = createFileServer({
    ...services,
    settings: () => ({
      idleTimeoutMs: 60_000,
      totalTimeoutMs: 86_400_000,
      inlineTypes: [],
      downloadHeaders: {},
    }),
    endpoints: [
      fileShareEndpoint({ ...services, settings: () => ({ secrets: [LINK_SECRET] }) }, FILE_SHARE_PATH),
    ],
  });
  t.after(() => files.close());
  const endpoints = [webEndpoint(services, '/web/')];
  if (hooks) {
    t.after(() => hooks.calls.flush());
    const endpoint = { ...hooks, settings: () => ({ ...settings, totalTimeoutMs: 60_000 }) };
    endpoints.push(webhookEndpoint(endpoint, '/msg/'));
  }
  const { port, request } = await serveEndpoints(t, services, endpoints, files);

  const call: TestWebServer['call'] = async (
    id,
    { as = anonymous, params = {}, query, body, rawBody, headers = {} } = {},
  ) => {
    const definition: RouteDefinition = routeDefinitions[id];
    const path = definition.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(params[name] ?? 'x'),
    );
    const search = query === undefined ? '' : `?${new URLSearchParams(query)}`;
    const text = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await request(`/web/${API_PREFIX}${path}${search}`, {
      method: definition.method,
      headers: {
        ...as.headers,
        ...(text !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(text !== undefined && { body: text }),
    });
    return { ...response, json: checkForm(id, definition, response) as never };
  };

  const ok: TestWebServer['ok'] = async (id, given) => {
    const response = await call(id, given);
    assert.equal(response.status, routeDefinitions[id].status, `${id}: ${response.text}`);
    return response.json;
  };

  return {
    ...stores,
    port,
    messages,
    failMessages(refusal) {
      failure = refusal;
    },
    flushHookCalls: async () => await hooks?.calls.flush(),
    request,
    setSettings(change) {
      settings = { ...settings, ...change };
    },
    call,
    ok,
    async signIn(jid) {
      const response = await call('signIn', { body: { jid, password: PASSWORD } });
      assert.equal(response.status, 201, response.text);
      return sessionClient(response);
    },
  };
}

/** Hooks below `/msg/hooks/`, with all their services. */
function createTestHooks(
  services: Omit<MessageServices, 'messageRules' | 'outbox'>,
  rules: readonly HookRule[],
) {
  const messageServices = {
    ...services,
    messageRules: () => ({
      tokens: [],
      components: [],
      maxSize: 10_000,
      bounceWait: 500,
      answerTimeout: 1000,
      maxWaiting: 100,
      keepTrying: 60_000,
      downloadUrlFor: () => null,
      uploadUrlFor: () => null,
    }),
  };
  const compiled = compileHooks(rules);
  return {
    ...messageServices,
    outbox: createOutbox(messageServices),
    imageFetcher: createImageFetcher(),
    partialDeliveries: createPartialDeliveries(services.clock),
    hooks: () => compiled,
    calls: createHookCallLog(services),
  };
}

/** Returns the client of the session that an answer has started. */
export function sessionClient(response: HttpResponse): TestClient {
  const { csrfToken } = JSON.parse(response.text) as { csrfToken: string };
  return { headers: { Cookie: cookieOf(response), 'X-CSRF-Token': csrfToken } };
}

/** Returns the cookie that an answer has set, as a browser sends it back. */
export function cookieOf({ headers }: HttpResponse): string {
  return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

/** Checks that an answer of the API has the schema of its description, and may not be cached. Returns its JSON. */
function checkForm(
  id: string,
  definition: RouteDefinition,
  { status, headers, text }: HttpResponse,
): unknown {
  const mayBeKept = definition.answer === 'image/webp' && status < 400;
  assert.equal(headers['cache-control'], mayBeKept ? 'private, no-cache' : 'no-store', id);
  assert.equal(headers['access-control-allow-origin'], undefined, `${id} has no CORS header`);
  if (status >= 400) {
    assert.match(headers['content-type'] ?? '', /^application\/problem\+json/, id);
    return problemSchema.parse(JSON.parse(text));
  }
  if (definition.answer instanceof z.ZodType) return definition.answer.parse(JSON.parse(text));
  if (definition.answer === null) assert.equal(text, '', id);
  return undefined;
}
