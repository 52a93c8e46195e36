import type { Config } from '../config/load.ts';
import type { MessageRules } from '../messages/message-rules.ts';

/** The rules of messages, out of the config. */
export function toMessageRules(config: Config, messages: NonNullable<Config['messages']>): MessageRules {
  return {
    tokens: messages.tokens,
    components: config.component,
    maxSize: messages.max_size,
    bounceWait: messages.bounce_wait,
    answerTimeout: messages.answer_timeout,
    maxWaiting: messages.max_waiting,
    keepTrying: messages.keep_trying,
    downloadUrl: config.download_url ?? config.public_url ?? null,
  };
}
