import type { ListenAddress } from '../base/addresses.ts';
import { sleep } from '../base/async.ts';
import type { Logger } from '../base/log.ts';
import type { Relay } from '../cluster/relay.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import type { Config } from '../config/load.ts';
import { LedgerError } from '../ledger/contract/ledger.ts';
import { startDailyCounts } from '../uploads/activity/daily-counts.ts';
import { publishPendingBlobs } from '../uploads/blobs/publish.ts';
import {
  type HeartbeatSchedule,
  releaseClaimsOfDeadProcesses,
  startHeartbeat,
} from '../uploads/heartbeat/heartbeat.ts';
import { startBallastSchedule } from '../uploads/housekeeping.ts';
import { joinCluster } from './cluster-membership.ts';
import { openHttp } from './http.ts';
import { createLeaderTasks } from './leader-tasks.ts';
import { createServerLog, openRuntime, type Runtime } from './runtime.ts';
import { keepDeliverySettings, toRuntimeSettings } from './settings.ts';
import { joinServerStores } from './store-check.ts';
import { createSweeper } from './sweeper.ts';
import { openAfterOtherMachine } from './wait-for-other-machine.ts';

const STOP_GRACE_MS = 30_000;
const LEDGER_RETRY_MS = 1_000;

/** A running server. */
export interface PorterServer {
  /** The actual addresses: port 0 of the config is replaced by the assigned port. */
  readonly addresses: readonly ListenAddress[];
  readonly log: Logger;
  /** Resolves if a thread of the ledger ends unexpectedly. Then this process must be replaced. */
  readonly ledgerThreadEnded: Promise<Error>;
  /** Applies the options that can change at run time. Rejects and keeps the old settings if the new ones are invalid. */
  reload(config: Config): Promise<void>;
  /** Stops accepting work, gives running transfers up to `graceMs` milliseconds to finish, then closes everything. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Starts stores, use cases and endpoints, in this order. If one fails, stops all that has started and rejects.
 * `workerClient`: the connection to the supervisor, if this process is one of several workers. If another machine has just used the
 * SQLite file, waits for it. `signal` ends this wait, and then this rejects.
 */
export async function startServer(
  config: Config,
  workerClient?: WorkerClient,
  signal?: AbortSignal,
): Promise<PorterServer> {
  const log = createServerLog(config, workerClient?.number);
  const runtime = await openAfterOtherMachine(() => openRuntime(config, log), { log, signal });
  const { services } = runtime;
  const parts = await createParts(runtime, workerClient).catch(async (error: unknown) => {
    await runtime.close();
    throw error;
  });
  const { relay, leave, sweeper, messaging, messageServices, leadership, http } = parts;
  let heartbeat: HeartbeatSchedule | undefined;
  let ballast: { stop(): Promise<void> } | undefined;
  let dailyCounts: { stop(): Promise<void> } | undefined;

  const stop = async (graceMs = STOP_GRACE_MS) => {
    await leadership.stop();
    await http.stop(graceMs);
    await messaging?.stop();
    await heartbeat?.stop();
    await ballast?.stop();
    await dailyCounts?.stop();
    await leave();
    await runtime.close();
  };
  try {
    await joinServerStores(runtime);
    // Claims are valid only while the heartbeat runs, so it starts before the first PUT can arrive.
    heartbeat = await startHeartbeat(services);
    await publishPendingBlobs(services);
    workerClient?.handle('releaseClaims', () => releaseClaimsOfDeadProcesses(services));
    ballast = startBallastSchedule(services, runtime.fillBallast);
    dailyCounts = startDailyCounts(services);
    await services.thumbnails?.start();
    await http.server.start();
    // Slots are granted once their links work, so the component connects after HTTP listens.
    await leadership.start(createLeaderTasks(runtime, { relay, sweeper, messaging, messageServices }));
    return {
      addresses: http.server.addresses,
      log,
      ledgerThreadEnded: runtime.ledgerThreadEnded,
      async reload(next) {
        const settings = toRuntimeSettings(keepDeliverySettings(config, next));
        await http.server.reloadCertificate(next.tls);
        runtime.replaceSettings(settings);
        log.level = next.log.level;
      },
      stop,
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** Creates the parts of a server. None of them runs or holds a connection before it is started. */
async function createParts(runtime: Runtime, workerClient: WorkerClient | undefined) {
  const { relay, createLeadership, leave } = await joinCluster(runtime.config, runtime.log, workerClient);
  const sweeper = createSweeper(runtime);
  const { messaging, messageServices } = await openMessages(runtime, relay);
  const leadership = createLeadership(sweeper.withSweepJobs);
  const http = await openHttp(runtime, { relay, messaging, messageServices, workerClient });
  return { relay, leave, sweeper, messaging, messageServices, leadership, http };
}

/** Opens the message senders if the config has a section `messages` or `web`. `web` needs them for sign-in links and logins. */
async function openMessages(runtime: Runtime, relay: Relay) {
  const { messages, web } = runtime.config;
  if (messages === null && web === null) return {};
  const { createMessageServices, openMessaging } = await import('./messaging.ts');
  const messaging = openMessaging(runtime, relay);
  return { messaging, messageServices: messages ? createMessageServices(runtime, messaging) : undefined };
}

/**
 * Starts the server of a worker. If the database server cannot be reached, logs that once and retries, because an exit would count as a
 * failed start. Returns undefined if the signal aborts first.
 */
export async function startWorkerServer(
  config: Config,
  workerClient: WorkerClient,
  signal: AbortSignal,
): Promise<PorterServer | undefined> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return await startServer(config, workerClient, signal);
    } catch (err) {
      if (!(err instanceof LedgerError && err.kind === 'unreachable')) throw err;
      const log = createServerLog(config, workerClient.number);
      if (failures === 0) log.error({ err }, 'this worker waits for the database server; trying again');
      await sleep(LEDGER_RETRY_MS, signal);
    }
  }
  return undefined;
}
