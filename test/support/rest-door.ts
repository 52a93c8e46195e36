import type { TestContext } from 'node:test';
import type { Element } from '@xmpp/xml';
import { addressMatcher } from '../../src/base/addresses.ts';
import { Refusal } from '../../src/base/errors.ts';
import { restDoor } from '../../src/http/rest/rest.ts';
import type { Ledger } from '../../src/ledger/contract.ts';
import type { MessageRules, TokenRule } from '../../src/messages/deps.ts';
import { createJoins } from '../../src/messages/rest/joins.ts';
import type { DeliveryOptions, Login, Speaker, Speakers } from '../../src/messages/speaker.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';
import { createThrottle } from '../../src/xmpp/sessions/throttle.ts';
import { grantingDeps, uploadRules } from './doors.ts';
import type { Call, Reply } from './http.ts';
import { serveDoors } from './serve-doors.ts';

/** What went over XMPP, as it would have stood on the wire. */
export interface Said {
  readonly way: 'deliver' | 'ask' | 'send';
  readonly by: string;
  readonly stanza: string;
  readonly options?: DeliveryOptions;
  readonly timeout?: number;
}

export interface RestHouse {
  ask(path: string, options?: Call): Promise<Reply>;
  readonly said: Said[];
  readonly logins: Login[];
  readonly port: number;
}

export interface RestScript {
  readonly rules?: Partial<MessageRules>;
  /** What the server answers to an iq; messages that come before it go to `hear`. */
  readonly answer?: (iq: Element, hear: (message: Element) => boolean) => Element | Promise<Element>;
  /** What becomes of every stanza that is no iq. */
  readonly outcome?: () => Promise<void>;
  /** Messages that a token may still send. */
  readonly left?: number;
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

/** The door `/rest` on a real HTTP server, over a double of the XMPP side that does and notes what the script says. */
export async function restHouse(
  t: { after: TestContext['after'] },
  script: RestScript = {},
): Promise<RestHouse> {
  const said: Said[] = [];
  const logins: Login[] = [];
  const speaker = (jid: string): Speaker => ({
    jid,
    async deliver(stanza, options) {
      said.push({ way: 'deliver', by: jid, stanza: stanza.toString(), options });
      await script.outcome?.();
    },
    async ask(iq, timeout, takes = () => false) {
      said.push({ way: 'ask', by: jid, stanza: iq.toString(), timeout });
      if (script.answer === undefined) throw new Refusal('no_answer');
      return script.answer(iq, takes);
    },
    async send(stanza) {
      said.push({ way: 'send', by: jid, stanza: stanza.toString() });
      await script.outcome?.();
    },
  });
  const speakers: Speakers = {
    async account(login) {
      logins.push(login);
      if (login.password === 'again')
        throw new Refusal('too_many_attempts', { retryAt: Date.now() + 60_000 });
      if (login.password !== PASSWORD) throw new Refusal('credentials_wrong');
      return speaker(`${login.jid}/porter`);
    },
    component: (jid) => speaker(jid),
  };
  const { deps } = grantingDeps(uploadRules([]));
  const left = script.left ?? 1000;
  const ledger: Pick<Ledger, 'chargeRate'> = {
    chargeRate: async () =>
      said.length < left ? { outcome: 'ok' } : { outcome: 'over', retryAt: Date.now() + 1000 },
  };
  const rules = {
    tokens: [TOKEN],
    components: [{ jid: 'upload.example.org', secret: 'component secret' }],
    maxSize: 192 * 1024,
    bounceWait: 500,
    answerTimeout: 15_000,
    ...script.rules,
  } as MessageRules;
  const door = restDoor(
    {
      ...deps,
      ledger: ledger as Ledger,
      transfers: createTransfers(),
      speakers,
      messages: () => rules,
      joins: createJoins(),
      guard: createThrottle(Date.now),
      trustedProxies: () => addressMatcher([]),
    },
    '/rest',
  );
  const { port, request } = await serveDoors(t, deps, [door]);
  return { ask: request, said, logins, port };
}
