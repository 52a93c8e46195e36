import type { TestContext } from 'node:test';
import type { Element } from '@xmpp/xml';
import { createAddressMatcher } from '../../src/base/addresses.ts';
import { Refusal } from '../../src/base/errors.ts';
import { parseBareJid } from '../../src/base/jid.ts';
import { createFileServer, createOldLinkHandler } from '../../src/http/files/file-server.ts';
import { type MessageEndpointServices, messageEndpoint } from '../../src/http/messages/message-endpoint.ts';
import { shareEndpoint, withSharedLinks } from '../../src/http/messages/share-endpoint.ts';
import type {
  AccountLogin,
  DeliveryOptions,
  MessageSender,
  MessageSenders,
} from '../../src/messages/delivery/message-sender.ts';
import type { MessageRules, TokenRule } from '../../src/messages/message-rules.ts';
import { createOutbox } from '../../src/messages/queue/outbox.ts';
import { createOldLinks } from '../../src/uploads/old-links.ts';
import type { HttpResponse, TestRequest } from './http.ts';
import { serveEndpoints } from './serve-endpoints.ts';
import { access, openTestServices, type TestServices } from './test-services.ts';

const SHARE_PATH = '/share/';
export const ROMEO = 'romeo@example.org';
export const PASSWORD = 'pa:ss wörd';
export const TOKEN = 'a-token-of-some-length';
/** Accounts that may log in, all with `PASSWORD`. */
const ACCOUNTS = [ROMEO, 'juliet@example.org'];
export const ALERTS = 'alerts@upload.example.org';

export const basic = (jid = ROMEO, password = PASSWORD) =>
  `Basic ${Buffer.from(`${jid}:${password}`).toString('base64')}`;
export const bearer = (token = TOKEN) => `Bearer ${token}`;

export const alerts: TokenRule = {
  token: TOKEN,
  from: ALERTS,
  to: ['@example\\.org$'],
  messages_per: null,
  queue: false,
};

/** One message that a sender was asked to deliver. */
export interface DeliveredMessage {
  readonly from: string;
  readonly message: Element;
  readonly options: DeliveryOptions;
}

/** The `/msg` endpoint on a real socket, with real stores and fake message senders that record all messages. */
export interface TestMessageServer extends TestServices {
  readonly port: number;
  readonly endpointDeps: MessageEndpointServices;
  readonly delivered: readonly DeliveredMessage[];
  readonly logins: readonly AccountLogin[];
  /** Called for each message; an error that it throws fails the delivery. */
  onDeliver(work: (delivered: DeliveredMessage) => void | Promise<void>): void;
  changeRules(change: Partial<MessageRules>): void;
  /** `POST /msg/…` as Romeo, unless the headers say otherwise. */
  post(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<HttpResponse>;
  request(path: string, options?: TestRequest): Promise<HttpResponse>;
}

export async function startTestMessageServer(
  t: TestContext,
  idleTimeoutMs = 60_000,
  totalTimeoutMs = 86_400_000,
): Promise<TestMessageServer> {
  const stores = await openTestServices(t);
  stores.setRules({ access: access({ jid: ['example\\.org$'] }) });
  let rules: MessageRules = {
    tokens: [alerts],
    components: [],
    maxSize: 10_000,
    bounceWait: 500,
    answerTimeout: 1000,
    maxWaiting: 100,
    keepTrying: 60_000,
    downloadUrlFor: () => null,
    uploadUrlFor: () => null,
  };
  const delivered: DeliveredMessage[] = [];
  const logins: AccountLogin[] = [];
  let work: (one: DeliveredMessage) => void | Promise<void> = () => undefined;
  const senderFor = (jid: string): MessageSender => ({
    jid,
    async deliver(message, options) {
      const one = { from: jid, message, options };
      delivered.push(one);
      await work(one);
    },
    sendIq: () => Promise.reject(new Error('unexpected iq')),
    sendStanza: () => Promise.reject(new Error('unexpected stanza')),
  });
  const senders: MessageSenders = {
    async openAccountSender(login) {
      logins.push(login);
      const bare = parseBareJid(login.jid) ?? '';
      if (!ACCOUNTS.includes(bare) || login.password !== PASSWORD) throw new Refusal('credentials_wrong');
      return senderFor(`${bare}/porter`);
    },
    componentSender: senderFor,
  };
  const deps = { ...stores.services, senders, messageRules: () => rules };
  const settings = { trustedProxies: createAddressMatcher([]), idleTimeoutMs, totalTimeoutMs };
  const endpointDeps: MessageEndpointServices = {
    ...deps,
    outbox: createOutbox(deps),
    settings: () => settings,
  };
  const data = createFileServer({
    ...deps,
    settings: () => ({ idleTimeoutMs, totalTimeoutMs, inlineTypes: ['image/*'], downloadHeaders: {} }),
  });
  const links = withSharedLinks(createOldLinks(stores.services), stores.services, SHARE_PATH);
  const { port, request } = await serveEndpoints(
    t,
    { ...deps, oldLinks: createOldLinkHandler(links, data) },
    [messageEndpoint(endpointDeps, '/msg/'), shareEndpoint(endpointDeps, SHARE_PATH)],
    data,
  );
  return {
    ...stores,
    port,
    endpointDeps,
    delivered,
    logins,
    onDeliver(next) {
      work = next;
    },
    changeRules(change) {
      rules = { ...rules, ...change };
    },
    request,
    post: (path, body, headers = {}) =>
      request(path, {
        method: 'POST',
        headers: {
          Authorization: basic(),
          'Content-Type': 'text/plain',
          'Content-Length': String(Buffer.byteLength(body)),
          ...headers,
        },
        body,
      }),
  };
}
