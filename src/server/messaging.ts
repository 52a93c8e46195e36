import { memoizeLast } from '../base/async.ts';
import { trustSystemCertificates } from '../base/system-resources.ts';
import type { Relay } from '../cluster/relay.ts';
import { createHostedLinks, domainsOf } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import { messagesSchema } from '../config/schema/messages.ts';
import { createAccountMatcher } from '../messages/authenticate.ts';
import type { MessageSenders } from '../messages/delivery/message-sender.ts';
import { createRelayedSender, serveRelayedSenders } from '../messages/delivery/relayed-sender.ts';
import type { MessageRules } from '../messages/message-rules.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { createOutbox } from '../messages/queue/outbox.ts';
import { findUserToken } from '../messages/user-tokens.ts';
import { type AccountSettings, createAccountSenders } from '../xmpp/client/account-senders.ts';
import { type ComponentSenders, createComponentSenders } from '../xmpp/component/component-senders.ts';
import type { Runtime } from './runtime.ts';

type MessageOptions = NonNullable<Config['messages']>;

/** The XMPP senders of this process. */
export interface Messaging {
  readonly senders: MessageSenders;
  /** The senders on the component streams of this process; used while it leads. */
  readonly componentSenders: ComponentSenders;
  /** Makes component senders use the streams of this process, or a relay to the leading process. */
  setLeading(isLeading: boolean): void;
  /** Closes the sessions of accounts. */
  stop(): Promise<void>;
}

/** Opens the senders. The config must have a section `messages` or `web`: users of `web` sign in by a login or a message. */
export function openMessaging({ config, services, settings }: Runtime, relay: Relay): Messaging {
  const initial = messageOptionsOf(config);
  if (initial === null) throw new Error('The config has neither a messages nor a web section.');
  trustSystemCertificates();
  const options = () => settings().config.messages ?? initial;
  const accountSettings = memoizeLast((current: Config) =>
    toAccountSettings(current, current.messages ?? initial),
  );
  const accounts = createAccountSenders({ ...services, settings: () => accountSettings(settings().config) });
  const times = {
    answerTimeout: () => options().answer_timeout,
    roomIdle: () => options().room_idle,
  };
  const componentSenders = createComponentSenders(
    times,
    config.component.map(({ jid }) => jid),
  );
  let leads = false;
  serveRelayedSenders(relay, (jid) => componentSenders.senderFor(jid));
  return {
    senders: {
      openAccountSender: (login) => accounts.senderFor(login),
      componentSender: (jid) =>
        leads ? componentSenders.senderFor(jid) : createRelayedSender(relay, jid, times.answerTimeout),
    },
    componentSenders,
    setLeading(isLeading) {
      leads = isLeading;
    },
    stop: () => accounts.stop(),
  };
}

/** Returns the options for messages and logins: the defaults if the config has only `web`, and null if it has neither. */
export function messageOptionsOf({ messages, web }: Config): MessageOptions | null {
  return messages ?? (web && messagesSchema.parse({}));
}

/** Derives the settings of account logins from the config. */
export function toAccountSettings({ access, component }: Config, messages: MessageOptions): AccountSettings {
  const components = component.flatMap((one) => [one.jid, ...domainsOf(one)]);
  return {
    server: messages.server,
    directTls: messages.direct_tls,
    requireTls: messages.require_tls,
    answerTimeout: messages.answer_timeout,
    roomIdle: messages.room_idle,
    mayLogIn: createAccountMatcher({ accounts: messages.accounts, access, components }),
    sessions: messages.sessions,
  };
}

/** Creates the services of the message endpoints. The leader tasks start the outbox. */
export function createMessageServices(
  { config, services, settings }: Pick<Runtime, 'config' | 'services' | 'settings'>,
  { senders }: Messaging,
): MessageServices {
  const rules = memoizeLast((current: Config) =>
    toMessageRules(current, current.messages ?? config.messages),
  );
  const messageServices = {
    ...services,
    senders,
    messageRules: () => rules(settings().config),
    ...(config.web && { findTokenOfUser: createTokenLookup(services, settings) }),
  };
  return { ...messageServices, outbox: createOutbox(messageServices) };
}

/** Returns a function that finds the user of a token. It ignores users that may no longer log in. */
function createTokenLookup(
  services: Runtime['services'],
  settings: Runtime['settings'],
): NonNullable<MessageServices['findTokenOfUser']> {
  const matcherFor = memoizeLast(createLoginMatcher);
  return async (token) => {
    const found = await findUserToken(services, token);
    return found && matcherFor(settings().config)(found.jid) ? found : undefined;
  };
}

/** Returns a function that returns whether an account (bare JID) may log in. */
export function createLoginMatcher({ access, component, messages }: Config): (account: string) => boolean {
  const components = component.flatMap((one) => [one.jid, ...domainsOf(one)]);
  return createAccountMatcher({ accounts: messages?.accounts ?? null, access, components });
}

function toMessageRules(config: Config, messages: Config['messages']): MessageRules {
  if (messages === null) throw new Error('The config has no messages section.');
  const links = createHostedLinks(config);
  return {
    tokens: messages.tokens,
    components: config.component,
    maxSize: messages.max_size,
    bounceWait: messages.bounce_wait,
    answerTimeout: messages.answer_timeout,
    maxWaiting: messages.max_waiting,
    keepTrying: messages.keep_trying,
    downloadUrlFor: (owner) => links.forOwner(owner).getBase,
    uploadUrlFor: (owner) => links.forOwner(owner).putBase,
  };
}
