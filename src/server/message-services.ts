import { memoizeLast } from '../base/async.ts';
import type { Config } from '../config/load.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { createOutbox } from '../messages/queue/outbox.ts';
import { toMessageRules } from './message-rules.ts';
import type { Messaging } from './messaging.ts';
import type { Runtime } from './runtime.ts';

/** What sends messages for whoever posts them; undefined where the config has no `messages`. */
export function createMessageServices(
  { config, services, settings }: Pick<Runtime, 'config' | 'services' | 'settings'>,
  voices: Messaging | undefined,
): MessageServices | undefined {
  const { messages: first } = config;
  if (first === null || voices === undefined) return undefined;
  const rules = memoizeLast((now: Config) => toMessageRules(now, now.messages ?? first));
  const { senders } = voices;
  const sending = {
    ...services,
    senders,
    messageRules: () => rules(settings().config),
  };
  return { ...sending, outbox: createOutbox(sending) };
}
