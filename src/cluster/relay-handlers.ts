import type { JsonValue } from '../base/json.ts';
import type { Logger } from '../base/log.ts';
import type { LeaderTasks } from './leadership.ts';
import { noLeaderError, type Relay, RelayError, type RelayHandler, withRelayTimeout } from './relay.ts';

/** The largest number of requests that one process handles at a time. Further requests are refused as `busy`. */
const MAX_RUNNING = 1000;

/** The relay handlers of this process. They are active while it leads. */
export interface RelayHandlers {
  handle(topic: string, handler: RelayHandler): void;
  /** Calls the handler of the topic. Rejects with a `RelayError`. */
  dispatch(topic: string, payload: JsonValue): Promise<JsonValue>;
  /** Returns tasks that activate the handlers after `startLeading` and deactivate them before `stopLeading`. */
  activeDuring(tasks: LeaderTasks): LeaderTasks;
}

export function createRelayHandlers(log: Logger): RelayHandlers {
  const handlers = new Map<string, RelayHandler>();
  let isActive = false;
  let running = 0;
  return {
    handle: (topic, handler) => void handlers.set(topic, handler),
    async dispatch(topic, payload) {
      const handler = isActive ? handlers.get(topic) : undefined;
      if (handler === undefined) throw noLeaderError();
      if (running >= MAX_RUNNING) throw new RelayError('busy', 'Too many requests are pending.');
      running += 1;
      try {
        return await handler(payload);
      } catch (error) {
        if (error instanceof RelayError) throw error;
        log.error({ err: error, topic }, 'a request of another process failed');
        throw new RelayError('failed', 'The leading process could not handle the request.', error);
      } finally {
        running -= 1;
      }
    },
    activeDuring: (tasks) => ({
      async startLeading() {
        await tasks.startLeading();
        isActive = true;
      },
      async stopLeading(lost) {
        isActive = false;
        await tasks.stopLeading(lost);
      },
    }),
  };
}

/** Creates the relay of a process that shares its ledger with no other. */
export function createLocalRelay(handlers: RelayHandlers): Relay {
  return {
    request: (topic, payload, timeoutMs) => withRelayTimeout(handlers.dispatch(topic, payload), timeoutMs),
    handle: (topic, handler) => handlers.handle(topic, handler),
  };
}
