import cluster from 'node:cluster';
import type { JsonValue } from '../../base/json.ts';
import type { Leadership } from '../leadership.ts';
import { type Relay, RelayError } from '../relay.ts';
import { createIpcChannel, type IpcChannel } from './ipc-channel.ts';

/** How long the supervisor may take for what it knows by heart. */
const AT_ONCE_MS = 10_000;
const METRICS_MS = 5_000;

/** A worker's way to its supervisor. */
export interface WorkerClient {
  /** From 1; the one that takes a dead worker's place has its number. */
  readonly number: number;
  /** The config that the supervisor has found good. */
  fetchConfig(): Promise<unknown>;
  /** This worker serves. */
  reportReady(): Promise<void>;
  /** What the supervisor may ask for; its answers are the results. */
  handle(verb: 'reload' | 'releaseClaims' | 'snapshot', handler: (payload: unknown) => unknown): void;
  /** The metrics of all workers as one text. */
  fetchMetrics(): Promise<string>;
  /** Leads by `inner` from the moment at which the supervisor appoints this worker. */
  wrapLeadership(inner: Leadership): Leadership;
  /** Asks here where this worker is appointed, through the supervisor elsewhere. */
  wrapRelay(inner: Relay): Relay;
  /** The supervisor need not wait for this process any more. */
  disconnect(): void;
}

interface Question {
  readonly topic: string;
  readonly payload: JsonValue;
  readonly timeoutMs: number;
}

/** Undefined in a process that no supervisor has started. */
export function connectToSupervisor(): WorkerClient | undefined {
  if (!cluster.isWorker) return undefined;
  // What cannot be sent has lost its reader, and this process ends with the channel.
  const line = createIpcChannel((message) => void process.send?.(message, undefined, undefined, () => {}));
  process.on('message', (message) => line.receive(message));
  return deskOn(line, Number(process.env.PORTER_WORKER));
}

function deskOn(line: IpcChannel, number: number): WorkerClient {
  let appointed = false;
  return {
    number,
    fetchConfig: () => line.request('config', null, AT_ONCE_MS),
    reportReady: async () => void (await line.request('ready', null, AT_ONCE_MS)),
    handle: (verb, handler) => line.handle(verb, handler),
    fetchMetrics: async () => String(await line.request('metrics', null, METRICS_MS)),
    wrapLeadership: (inner) => ({
      async start(duties) {
        line.handle('lead', async () => {
          appointed = true;
          await inner.start(duties);
        });
      },
      async stop() {
        line.handle('lead', () => {
          throw new RelayError('unavailable', 'This worker is about to end.');
        });
        if (appointed) await inner.stop();
      },
    }),
    wrapRelay(inner) {
      line.handle('relay', (asked) => {
        const { topic, payload, timeoutMs } = asked as Question;
        return inner.request(topic, payload, timeoutMs);
      });
      return {
        async request(topic, payload, timeoutMs) {
          if (appointed) return await inner.request(topic, payload, timeoutMs);
          return (await line.request('relay', { topic, payload, timeoutMs }, timeoutMs)) as JsonValue;
        },
        handle: (topic, handler) => inner.handle(topic, handler),
      };
    },
    disconnect: () => void cluster.worker?.disconnect(),
  };
}
