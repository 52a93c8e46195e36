import type { Logger } from '../base/log.ts';
import { type Json, type Relay, RelayFault, type RelayHandler } from '../base/relay.ts';
import type { Duties } from './contract.ts';
import { inTime } from './in-time.ts';

/** Questions that one process works on at a time; more is a flood. */
const MAX_IN_PROGRESS = 1000;

/** What this process answers for all while it leads. */
export interface Answers {
  serve(topic: string, handler: RelayHandler): void;
  /** @throws RelayFault */
  answer(topic: string, payload: Json): Promise<Json>;
  /** Answers from the end of their `begin` to the start of their `end`. */
  during(duties: Duties): Duties;
}

export function createAnswers(log: Logger): Answers {
  const handlers = new Map<string, RelayHandler>();
  let leads = false;
  let inProgress = 0;
  return {
    serve: (topic, handler) => void handlers.set(topic, handler),
    async answer(topic, payload) {
      const handler = leads ? handlers.get(topic) : undefined;
      if (handler === undefined) throw nobody();
      if (inProgress >= MAX_IN_PROGRESS) throw new RelayFault('busy', 'Too many questions wait already.');
      inProgress += 1;
      try {
        return await handler(payload);
      } catch (error) {
        if (error instanceof RelayFault) throw error;
        log.error({ err: error, topic }, 'a question of another process could not be answered');
        throw new RelayFault('failed', 'The process that leads could not answer.', error);
      } finally {
        inProgress -= 1;
      }
    },
    during: ({ begin, end }) => ({
      async begin() {
        await begin();
        leads = true;
      },
      async end(lost) {
        leads = false;
        await end(lost);
      },
    }),
  };
}

/** For a process that has none beside it. */
export function relayWithin(answers: Answers): Relay {
  return {
    ask: (topic, payload, timeoutMs) => inTime(answers.answer(topic, payload), timeoutMs),
    serve: (topic, handler) => answers.serve(topic, handler),
  };
}

export function nobody(): RelayFault {
  return new RelayFault('unavailable', 'No process leads at this moment.');
}
