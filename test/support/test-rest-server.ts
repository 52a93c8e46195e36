import type { TestContext } from 'node:test';
import type { Element } from '@xmpp/xml';
import { createAddressMatcher } from '../../src/base/addresses.ts';
import { Refusal } from '../../src/base/errors.ts';
import { restEndpoint } from '../../src/http/rest/rest-endpoint.ts';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import type {
  AccountLogin,
  DeliveryOptions,
  MessageSender,
  MessageSenders,
} from '../../src/messages/delivery/message-sender.ts';
import type { MessageRules, TokenRule } from '../../src/messages/message-rules.ts';
import { createRoomNicks } from '../../src/messages/rest/room-nicks.ts';
import { createLoginThrottle } from '../../src/xmpp/client/login-throttle.ts';
import { createGrantingServices, uploadRules } from './granting-services.ts';
import type { HttpResponse, TestRequest } from './http.ts';
import { serveEndpoints } from './serve-endpoints.ts';

/** One call to a message sender, with its stanza as XML. */
export interface SentStanza {
  readonly method: 'deliver' | 'ask' | 'send';
  readonly sender: string;
  readonly stanza: string;
  readonly options?: DeliveryOptions;
  readonly timeout?: number;
}

export interface TestRestServer {
  request(path: string, options?: TestRequest): Promise<HttpResponse>;
  readonly sentStanzas: SentStanza[];
  readonly logins: AccountLogin[];
  readonly port: number;
}

export interface TestRestServerOptions {
  readonly rules?: Partial<MessageRules>;
  /** Returns the server's answer to an iq; pass messages that precede the answer to `hear`. */
  readonly onIq?: (iq: Element, hear: (message: Element) => boolean) => Element | Promise<Element>;
  /** Called for every stanza except iqs; an error that it throws fails the delivery. */
  readonly onSend?: () => Promise<void>;
  /** How many messages the token may still send. */
  readonly messagesLeft?: number;
}

export const PASSWORD = 'wherefore:art thou';
export const ROMEO = `Basic ${btoa(`romeo@example.org:${PASSWORD}`)}`;
export const COMPONENT = `Basic ${btoa('upload.example.org:component secret')}`;
export const TOKEN: TokenRule = {
  token: 'tok-1',
  from: 'alerts@upload.example.org',
  to: ['^[^@]+@example\\.org$', '^example\\.org$'],
  messages_per: null,
  queue: false,
};

/** The `/rest` endpoint on a real HTTP server, with fake message senders that record all stanzas. */
export async function startTestRestServer(
  t: { after: TestContext['after'] },
  options: TestRestServerOptions = {},
): Promise<TestRestServer> {
  const sentStanzas: SentStanza[] = [];
  const logins: AccountLogin[] = [];
  const createSender = (jid: string): MessageSender => ({
    jid,
    async deliver(stanza, delivery) {
      sentStanzas.push({ method: 'deliver', sender: jid, stanza: stanza.toString(), options: delivery });
      await options.onSend?.();
    },
    async sendIq(iq, timeout, onMessage = () => false) {
      sentStanzas.push({ method: 'ask', sender: jid, stanza: iq.toString(), timeout });
      if (options.onIq === undefined) throw new Refusal('no_answer');
      return options.onIq(iq, onMessage);
    },
    async sendStanza(stanza) {
      sentStanzas.push({ method: 'send', sender: jid, stanza: stanza.toString() });
      await options.onSend?.();
    },
  });
  const senders: MessageSenders = {
    async openAccountSender(login) {
      logins.push(login);
      if (login.password === 'again')
        throw new Refusal('too_many_attempts', { retryAt: Date.now() + 60_000 });
      if (login.password !== PASSWORD) throw new Refusal('credentials_wrong');
      return createSender(`${login.jid}/porter`);
    },
    componentSender: (jid) => createSender(jid),
  };
  const { deps } = createGrantingServices(uploadRules([]));
  const left = options.messagesLeft ?? 1000;
  const ledger: Pick<Ledger, 'chargeMessageRate'> = {
    chargeMessageRate: async () =>
      sentStanzas.length < left ? { outcome: 'ok' } : { outcome: 'over', retryAt: Date.now() + 1000 },
  };
  const rules = {
    tokens: [TOKEN],
    components: [{ jid: 'upload.example.org', secret: 'component secret' }],
    maxSize: 192 * 1024,
    bounceWait: 500,
    answerTimeout: 15_000,
    ...options.rules,
  } as MessageRules;
  const endpoint = restEndpoint(
    {
      ...deps,
      ledger: ledger as Ledger,
      senders,
      messageRules: () => rules,
      roomNicks: createRoomNicks(),
      secretGuard: createLoginThrottle(Date.now),
      trustedProxies: () => createAddressMatcher([]),
    },
    '/rest',
  );
  const { port, request } = await serveEndpoints(t, deps, [endpoint]);
  return { request, sentStanzas, logins, port };
}
