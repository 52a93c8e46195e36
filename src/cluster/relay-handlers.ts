import type { JsonValue } from '../base/json.ts';
import type { Logger } from '../base/log.ts';
import type { LeaderTasks } from './leadership.ts';
import { type Relay, RelayError, type RelayHandler } from './relay.ts';
import { withRelayTimeout } from './relay-timeout.ts';

/** Questions that one process works on at a time; more is a flood. */
const MAX_IN_PROGRESS = 1000;

/** What this process answers for all while it leads. */
export interface RelayHandlers {
  handle(topic: string, handler: RelayHandler): void;
  /** @throws RelayFault */
  dispatch(topic: string, payload: JsonValue): Promise<JsonValue>;
  /** Answers from the end of their `begin` to the start of their `end`. */
  activeDuring(duties: LeaderTasks): LeaderTasks;
}

export function createRelayHandlers(log: Logger): RelayHandlers {
  const handlers = new Map<string, RelayHandler>();
  let leads = false;
  let inProgress = 0;
  return {
    handle: (topic, handler) => void handlers.set(topic, handler),
    async dispatch(topic, payload) {
      const handler = leads ? handlers.get(topic) : undefined;
      if (handler === undefined) throw noLeaderError();
      if (inProgress >= MAX_IN_PROGRESS) throw new RelayError('busy', 'Too many questions wait already.');
      inProgress += 1;
      try {
        return await handler(payload);
      } catch (error) {
        if (error instanceof RelayError) throw error;
        log.error({ err: error, topic }, 'a question of another process could not be answered');
        throw new RelayError('failed', 'The process that leads could not answer.', error);
      } finally {
        inProgress -= 1;
      }
    },
    activeDuring: ({ startLeading, stopLeading }) => ({
      async startLeading() {
        await startLeading();
        leads = true;
      },
      async stopLeading(lost) {
        leads = false;
        await stopLeading(lost);
      },
    }),
  };
}

/** For a process that has none beside it. */
export function createLocalRelay(answers: RelayHandlers): Relay {
  return {
    request: (topic, payload, timeoutMs) => withRelayTimeout(answers.dispatch(topic, payload), timeoutMs),
    handle: (topic, handler) => answers.handle(topic, handler),
  };
}

export function noLeaderError(): RelayError {
  return new RelayError('unavailable', 'No process leads at this moment.');
}
