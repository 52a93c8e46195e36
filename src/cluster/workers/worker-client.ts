import cluster from 'node:cluster';
import type { JsonValue } from '../../base/json.ts';
import type { Leadership } from '../leadership.ts';
import { type Relay, RelayError } from '../relay.ts';
import { IpcChannel } from './ipc-channel.ts';

const SUPERVISOR_TIMEOUT_MS = 10_000;
const METRICS_TIMEOUT_MS = 5_000;

/** A worker's connection to its supervisor. */
export interface WorkerClient {
  /** From 1. A worker that replaces a dead one gets the same number. */
  readonly number: number;
  /** Fetches the config that the supervisor has checked. */
  fetchConfig(): Promise<unknown>;
  /** Reports that this worker serves. */
  reportReady(): Promise<void>;
  /** Sets the handler of a request of the supervisor. */
  handle(verb: 'reload' | 'releaseClaims' | 'snapshot', handler: (payload: unknown) => unknown): void;
  /** Fetches the metrics of all workers as one Prometheus text. */
  fetchMetrics(): Promise<string>;
  /** Returns a leadership that starts `instance` when the supervisor appoints this worker. */
  wrapLeadership(instance: Leadership): Leadership;
  /** Returns a relay that uses `instance` in the appointed worker, and goes through the supervisor in all others. */
  wrapRelay(instance: Relay): Relay;
  /** Closes the channel, so that the supervisor does not keep this process alive. */
  disconnect(): void;
}

interface RelayedRequest {
  readonly topic: string;
  readonly payload: JsonValue;
  readonly timeoutMs: number;
}

/** Connects this worker to its supervisor. Returns undefined in a process that was not started by a supervisor. */
export function connectToSupervisor(): WorkerClient | undefined {
  if (!cluster.isWorker) return undefined;
  // Sending fails only if the supervisor has exited. Then the channel closes, and this process ends.
  const channel = new IpcChannel((message) => void process.send?.(message, undefined, undefined, () => {}));
  process.on('message', (message) => channel.receive(message));
  return createWorkerClient(channel, Number(process.env.PORTER_WORKER));
}

function createWorkerClient(channel: IpcChannel, number: number): WorkerClient {
  let isAppointed = false;
  return {
    number,
    fetchConfig: () => channel.request('config', null, SUPERVISOR_TIMEOUT_MS),
    reportReady: async () => void (await channel.request('ready', null, SUPERVISOR_TIMEOUT_MS)),
    handle: (verb, handler) => channel.handle(verb, handler),
    fetchMetrics: async () => String(await channel.request('metrics', null, METRICS_TIMEOUT_MS)),
    wrapLeadership: (instance) => ({
      async start(tasks) {
        // The supervisor repeats the request if it gets no answer in time.
        let starting: Promise<void> | undefined;
        channel.handle('lead', async () => {
          isAppointed = true;
          starting ??= instance.start(tasks).catch((error: unknown) => {
            starting = undefined;
            throw error;
          });
          await starting;
        });
      },
      async stop() {
        channel.handle('lead', () => {
          throw new RelayError('unavailable', 'This worker is stopping.');
        });
        if (isAppointed) await instance.stop();
      },
    }),
    wrapRelay(instance) {
      channel.handle('relay', (request) => {
        const { topic, payload, timeoutMs } = request as RelayedRequest;
        return instance.request(topic, payload, timeoutMs);
      });
      return {
        async request(topic, payload, timeoutMs) {
          if (isAppointed) return await instance.request(topic, payload, timeoutMs);
          return (await channel.request('relay', { topic, payload, timeoutMs }, timeoutMs)) as JsonValue;
        },
        handle: (topic, handler) => instance.handle(topic, handler),
      };
    },
    disconnect: () => void cluster.worker?.disconnect(),
  };
}
