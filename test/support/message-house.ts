import type { TestContext } from 'node:test';
import type { Element } from '@xmpp/xml';
import { addressMatcher } from '../../src/base/addresses.ts';
import { Refusal } from '../../src/base/errors.ts';
import { bareJid } from '../../src/base/jid.ts';
import { dataPlane } from '../../src/http/data-plane.ts';
import { type MessageDoorDeps, messageDoor } from '../../src/http/messages.ts';
import type { MessageRules, TokenRule } from '../../src/messages/deps.ts';
import { createOutbox } from '../../src/messages/outbox.ts';
import type { DeliveryOptions, Login, Speaker, Speakers } from '../../src/messages/speaker.ts';
import { createHotFiles } from '../../src/uploads/hot.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';
import { access, openHouse, type TestHouse } from '../unit/uploads/house.ts';
import type { Call, Reply } from './http.ts';
import { serveDoors } from './serve-doors.ts';

export const ROMEO = 'romeo@example.org';
export const PASSWORD = 'pa:ss wörd';
export const TOKEN = 'a-token-of-some-length';
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

/** One message that a speaker was given. */
export interface Delivered {
  readonly from: string;
  readonly message: Element;
  readonly options: DeliveryOptions;
}

/** The door of messages on a real socket, over real stores, with speakers that only write down what they hear. */
export interface MessageHouse extends TestHouse {
  readonly port: number;
  readonly door: MessageDoorDeps;
  readonly delivered: readonly Delivered[];
  readonly logins: readonly Login[];
  /** What becomes of the next messages; it may throw. */
  onDeliver(work: (delivered: Delivered) => void | Promise<void>): void;
  rules(change: Partial<MessageRules>): void;
  /** `POST /msg/…` as Romeo, unless the headers say otherwise. */
  post(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<Reply>;
  request(path: string, options?: Call): Promise<Reply>;
}

export async function openMessageHouse(t: TestContext, idleTimeout = 60_000): Promise<MessageHouse> {
  const house = await openHouse(t);
  house.rule({ access: access({ jid: ['example\\.org$'] }) });
  let rules: MessageRules = {
    tokens: [alerts],
    components: [],
    maxSize: 10_000,
    bounceWait: 500,
    answerTimeout: 1000,
    maxWaiting: 100,
    keepTrying: 60_000,
    downloadUrl: null,
  };
  const delivered: Delivered[] = [];
  const logins: Login[] = [];
  let work: (one: Delivered) => void | Promise<void> = () => undefined;
  const speakerOf = (jid: string): Speaker => ({
    jid,
    async deliver(message, options) {
      const one = { from: jid, message, options };
      delivered.push(one);
      await work(one);
    },
    ask: () => Promise.reject(new Error('nobody asks')),
    send: () => Promise.reject(new Error('nobody sends')),
  });
  const speakers: Speakers = {
    async account(login) {
      logins.push(login);
      if (bareJid(login.jid) !== ROMEO || login.password !== PASSWORD) throw new Refusal('credentials_wrong');
      return speakerOf(`${ROMEO}/porter`);
    },
    component: speakerOf,
  };
  const deps = { ...house.deps, transfers: createTransfers(), speakers, messages: () => rules };
  const settings = { trustedProxies: addressMatcher([]), idleTimeout };
  const door: MessageDoorDeps = { ...deps, outbox: createOutbox(deps), door: () => settings };
  const data = dataPlane({
    ...deps,
    hot: createHotFiles(),
    settings: () => ({ idleTimeout, inlineTypes: ['image/*'], downloadHeaders: {} }),
  });
  const { port, request } = await serveDoors(t, deps, [messageDoor(door, '/msg/')], data);
  return {
    ...house,
    port,
    door,
    delivered,
    logins,
    onDeliver(next) {
      work = next;
    },
    rules(change) {
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
