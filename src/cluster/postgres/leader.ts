import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../base/log.ts';
import type { Leadership, LeaderTasks } from '../leadership.ts';
import type { Relay } from '../relay.ts';
import type { RelayHandlers } from '../relay-handlers.ts';
import { type ClusterConnection, openClusterConnection } from './connection.ts';
import { type ClusterNames, readClusterNames } from './names.ts';
import { createPostgresRelay } from './relay.ts';

export interface PostgresLeaderOptions {
  /** As the ledger's. */
  readonly url: string;
  readonly log: Logger;
  readonly handlers: RelayHandlers;
  /** Milliseconds after which a holder that says nothing is cut off; tests are in a hurry. */
  readonly idleLimitMs?: number;
}

export interface PostgresLeader extends Leadership {
  readonly relay: Relay;
  /** Ends the connection, on which questions to others travel even after `resign`. */
  close(): Promise<void>;
}

/** How often the holder shows that it lives, and the others try to take its place. */
const BEAT_MS = 1_000;
/** The holder's process stands still although its machine does not: others would wait for ever. */
const SILENT_MS = 15_000;

/**
 * Leads while it holds an advisory lock of the ledger's database, on a connection that serves nothing else. Whoever
 * loses the connection has lost the lead, and knows before the server gives it to another, as far as clocks go.
 */
export function createPostgresLeader(options: PostgresLeaderOptions): PostgresLeader {
  const { url, log, idleLimitMs = SILENT_MS } = options;
  const closing = new AbortController();
  let duties: LeaderTasks | undefined;
  let leads = false;
  let resigned = false;
  let running: Promise<void> | undefined;
  /** Settled whenever this process does not lead. */
  let term = Promise.withResolvers<void>();
  term.resolve();
  /** Ends the wait for the next beat. */
  let wake = new AbortController();
  const relay = createPostgresRelay(log, options.handlers, () => leads);

  async function live(): Promise<void> {
    for (let told = false; !closing.signal.aborted; ) {
      const link = await openClusterConnection(url, relay.receiveNotification).catch((error: unknown) => {
        if (!told) log.warn({ err: error }, 'PostgreSQL is away: this process cannot lead');
        told = true;
      });
      if (link) {
        told = false;
        await serveOn(link).catch((error: unknown) =>
          log.warn({ err: error }, 'the connection to PostgreSQL that decides who leads was lost'),
        );
        link.close();
      }
      await pause(BEAT_MS, closing.signal);
    }
  }

  /** All that happens on one connection; rejects when it is lost. */
  async function serveOn(link: ClusterConnection): Promise<void> {
    const names = await readClusterNames(link);
    await link.query(`listen "${names.processChannel(relay.channel)}"`);
    relay.setConnection(link, names);
    void link.closed.then(() => wake.abort());
    try {
      while (!closing.signal.aborted) {
        wake = new AbortController();
        await beat(link, names);
        await pause(BEAT_MS, AbortSignal.any([wake.signal, closing.signal]));
      }
    } finally {
      relay.setConnection(undefined, undefined);
      // Closing the connection gives the lead away; before that nothing of ours may be left.
      await retire(!resigned);
    }
  }

  async function beat(link: ClusterConnection, names: ClusterNames): Promise<void> {
    if (leads && resigned) {
      await retire(false);
      await link.query('select pg_advisory_unlock($1, $2)', names.leaderLock);
      await link.query(`unlisten "${names.leaderChannel}"`);
    } else if (leads) {
      await link.query('select 1');
    } else if (!resigned && (await takes(link, names))) {
      await link.query(`listen "${names.leaderChannel}"`);
      leads = true;
      term = Promise.withResolvers();
      log.info('this process leads all that share the ledger');
      await duties?.startLeading();
    }
  }

  async function takes(link: ClusterConnection, { leaderLock }: ClusterNames): Promise<boolean> {
    const [row] = await link.query<{ taken: boolean }>(
      'select pg_try_advisory_lock($1, $2) as taken',
      leaderLock,
    );
    if (row?.taken === true) return true;
    await link.query(CUT_OFF, [...leaderLock, idleLimitMs]);
    return false;
  }

  async function retire(lost: boolean): Promise<void> {
    if (!leads) return;
    leads = false;
    try {
      await duties?.stopLeading(lost);
    } finally {
      term.resolve();
    }
  }

  return {
    relay,
    async start(isPorter) {
      duties = isPorter;
      running = live();
    },
    async stop() {
      resigned = true;
      wake.abort();
      await term.promise;
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** The holder beats every second, so one whose connection has been idle for long does not run any more. */
const CUT_OFF = `
  select pg_terminate_backend(holder.pid) from pg_locks as held
    join pg_stat_activity as holder on holder.pid = held.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 2
      and held.database = (select oid from pg_database where datname = current_database())
      and held.classid = $1 and held.objid = $2
      and holder.state_change < clock_timestamp() - $3 * interval '1 millisecond'`;

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    // Woken: there is something to do.
  });
}
