import type { Config } from '../config/load.ts';
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
  /** Closes the sessions of accounts. */
  stop(): Promise<void>;
}

type Messages = NonNullable<Config['messages']>;

/** Undefined where the config has no `messages`. */
export function openVoices({ config, deps, current }: House): Voices | undefined {
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
  return {
    speakers: { account: (login) => accounts.account(login), component: (jid) => speech.speaker(jid) },
    speech,
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
