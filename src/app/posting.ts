import type { Config } from '../config/load.ts';
import type { MessageDeps } from '../messages/deps.ts';
import { createOutbox } from '../messages/outbox.ts';
import type { SendDeps } from '../messages/send.ts';
import type { House } from './house.ts';
import { messageRulesOf } from './message-rules.ts';
import { oncePer, type Voices } from './messages.ts';

/** What sends messages for whoever posts them; undefined where the config has no `messages`. */
export function postingOf(
  { config, deps, transfers, current }: Pick<House, 'config' | 'deps' | 'transfers' | 'current'>,
  voices: Voices | undefined,
): SendDeps | undefined {
  const { messages: first } = config;
  if (first === null || voices === undefined) return undefined;
  const rules = oncePer((now: Config) => messageRulesOf(now, now.messages ?? first));
  const { speakers } = voices;
  const sending: MessageDeps = { ...deps, transfers, speakers, messages: () => rules(current().config) };
  return { ...sending, outbox: createOutbox(sending) };
}
