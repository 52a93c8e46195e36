import type { Relay } from '../base/relay.ts';
import type { Config } from '../config/load.ts';
import { relayedSpeaker, serveSpeakers } from '../messages/relayed.ts';
import { jidMatcher } from '../messages/senders.ts';
import type { Speakers } from '../messages/speaker.ts';
import { type ComponentSpeech, createComponentSpeech } from '../xmpp/component-speech.ts';
import { type AccountSettings, createAccounts } from '../xmpp/sessions/accounts.ts';
import type { House } from './house.ts';

/** What speaks XMPP in this process. */
export interface Voices {
  readonly speakers: Speakers;
  /** For the streams of the components, where this process holds them. */
  readonly speech: ComponentSpeech;
  /** Does this process hold the streams now? Else it speaks through the one that does. */
  lead(leads: boolean): void;
  /** Closes the sessions of accounts. */
  stop(): Promise<void>;
}

type Messages = NonNullable<Config['messages']>;

/** Undefined where the config has no `messages`. */
export function openVoices({ config, deps, current }: House, relay: Relay): Voices | undefined {
  const { messages: first } = config;
  if (first === null) return undefined;
  const messages = () => current().config.messages ?? first;
  const settings = oncePer(accountSettings);
  const accounts = createAccounts({ ...deps, settings: () => settings(messages()) });
  const times = {
    answerTimeout: () => messages().answer_timeout,
    roomIdle: () => messages().room_idle,
  };
  const speech = createComponentSpeech(
    times,
    config.component.map(({ jid }) => jid),
  );
  let isLeader = false;
  serveSpeakers(relay, (jid) => speech.speaker(jid));
  return {
    speakers: {
      account: (login) => accounts.account(login),
      component: (jid) => (isLeader ? speech.speaker(jid) : relayedSpeaker(relay, jid, times.answerTimeout)),
    },
    speech,
    lead(leads) {
      isLeader = leads;
    },
    stop: () => accounts.stop(),
  };
}

function accountSettings(messages: Messages): AccountSettings {
  return {
    server: messages.server,
    directTls: messages.direct_tls,
    requireTls: messages.require_tls,
    answerTimeout: messages.answer_timeout,
    roomIdle: messages.room_idle,
    mayLogIn: jidMatcher(messages.accounts),
    sessions: messages.sessions,
  };
}

/** A reload brings another object. */
export function oncePer<K extends object, V>(make: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}
