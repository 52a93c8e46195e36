import { memoizeLast } from '../base/async.ts';
import type { Relay } from '../cluster/relay.ts';
import type { Config } from '../config/load.ts';
import { createJidMatcher } from '../messages/authenticate.ts';
import type { MessageSenders } from '../messages/delivery/message-sender.ts';
import { createRelayedSender, serveRelayedSenders } from '../messages/delivery/relayed-sender.ts';
import { type AccountSettings, createAccountSenders } from '../xmpp/client/account-senders.ts';
import { type ComponentSenders, createComponentSenders } from '../xmpp/component/component-senders.ts';
import type { Runtime } from './runtime.ts';

/** What speaks XMPP in this process. */
export interface Messaging {
  readonly senders: MessageSenders;
  /** For the streams of the components, where this process holds them. */
  readonly componentSenders: ComponentSenders;
  /** Does this process hold the streams now? Else it speaks through the one that does. */
  setLeading(leads: boolean): void;
  /** Closes the sessions of accounts. */
  stop(): Promise<void>;
}

type Messages = NonNullable<Config['messages']>;

/** Undefined where the config has no `messages`. */
export function openMessaging(
  { config, services, settings: current }: Runtime,
  relay: Relay,
): Messaging | undefined {
  const { messages: first } = config;
  if (first === null) return undefined;
  const messages = () => current().config.messages ?? first;
  const settings = memoizeLast(accountSettings);
  const accounts = createAccountSenders({ ...services, settings: () => settings(messages()) });
  const times = {
    answerTimeout: () => messages().answer_timeout,
    roomIdle: () => messages().room_idle,
  };
  const componentSenders = createComponentSenders(
    times,
    config.component.map(({ jid }) => jid),
  );
  let isLeader = false;
  serveRelayedSenders(relay, (jid) => componentSenders.senderFor(jid));
  return {
    senders: {
      openAccountSender: (login) => accounts.senderFor(login),
      componentSender: (jid) =>
        isLeader ? componentSenders.senderFor(jid) : createRelayedSender(relay, jid, times.answerTimeout),
    },
    componentSenders,
    setLeading(leads) {
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
    mayLogIn: createJidMatcher(messages.accounts),
    sessions: messages.sessions,
  };
}
