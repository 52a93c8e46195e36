import cluster from 'node:cluster';
import { type Json, type Relay, RelayFault } from '../base/relay.ts';
import type { Leadership } from './contract.ts';
import { createLine, type Line } from './line.ts';

/** How long the supervisor may take for what it knows by heart. */
const AT_ONCE_MS = 10_000;
const METRICS_MS = 5_000;

/** A worker's way to its supervisor. */
export interface Desk {
  /** From 1; the one that takes a dead worker's place has its number. */
  readonly number: number;
  /** The config that the supervisor has found good. */
  config(): Promise<unknown>;
  /** This worker serves. */
  ready(): Promise<void>;
  /** What the supervisor may ask for; its answers are the results. */
  serve(verb: 'reload' | 'buried' | 'snapshot', handler: (payload: unknown) => unknown): void;
  /** The metrics of all workers as one text. */
  metrics(): Promise<string>;
  /** Leads by `inner` from the moment at which the supervisor appoints this worker. */
  leadership(inner: Leadership): Leadership;
  /** Asks here where this worker is appointed, through the supervisor elsewhere. */
  relay(inner: Relay): Relay;
  /** The supervisor need not wait for this process any more. */
  leave(): void;
}

interface Question {
  readonly topic: string;
  readonly payload: Json;
  readonly timeoutMs: number;
}

/** Undefined in a process that no supervisor has started. */
export function deskOfWorker(): Desk | undefined {
  if (!cluster.isWorker) return undefined;
  // What cannot be sent has lost its reader, and this process ends with the channel.
  const line = createLine((message) => void process.send?.(message, undefined, undefined, () => {}));
  process.on('message', (message) => line.take(message));
  return deskOn(line, Number(process.env.PORTER_WORKER));
}

function deskOn(line: Line, number: number): Desk {
  let appointed = false;
  return {
    number,
    config: () => line.ask('config', null, AT_ONCE_MS),
    ready: async () => void (await line.ask('ready', null, AT_ONCE_MS)),
    serve: (verb, handler) => line.serve(verb, handler),
    metrics: async () => String(await line.ask('metrics', null, METRICS_MS)),
    leadership: (inner) => ({
      async stand(duties) {
        line.serve('lead', async () => {
          appointed = true;
          await inner.stand(duties);
        });
      },
      async resign() {
        line.serve('lead', () => {
          throw new RelayFault('unavailable', 'This worker is about to end.');
        });
        if (appointed) await inner.resign();
      },
    }),
    relay(inner) {
      line.serve('relay', (asked) => {
        const { topic, payload, timeoutMs } = asked as Question;
        return inner.ask(topic, payload, timeoutMs);
      });
      return {
        async ask(topic, payload, timeoutMs) {
          if (appointed) return await inner.ask(topic, payload, timeoutMs);
          return (await line.ask('relay', { topic, payload, timeoutMs }, timeoutMs)) as Json;
        },
        serve: (topic, handler) => inner.serve(topic, handler),
      };
    },
    leave: () => void cluster.worker?.disconnect(),
  };
}
