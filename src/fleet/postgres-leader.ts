import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import type { Relay } from '../base/relay.ts';
import type { Answers } from './answers.ts';
import type { Duties, Leadership } from './contract.ts';
import { type Link, openLink } from './postgres-link.ts';
import { type Names, namesOf } from './postgres-names.ts';
import { postgresRelay } from './postgres-relay.ts';

export interface PostgresLeaderOptions {
  /** As the ledger's. */
  readonly url: string;
  readonly log: Logger;
  readonly answers: Answers;
  /** Milliseconds after which a holder that says nothing is cut off; tests are in a hurry. */
  readonly silentMs?: number;
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
export function postgresLeader(options: PostgresLeaderOptions): PostgresLeader {
  const { url, log, silentMs = SILENT_MS } = options;
  const closing = new AbortController();
  let duties: Duties | undefined;
  let leads = false;
  let resigned = false;
  let running: Promise<void> | undefined;
  /** Settled whenever this process does not lead. */
  let term = Promise.withResolvers<void>();
  term.resolve();
  /** Ends the wait for the next beat. */
  let wake = new AbortController();
  const relay = postgresRelay(log, options.answers, () => leads);

  async function live(): Promise<void> {
    for (let told = false; !closing.signal.aborted; ) {
      const link = await openLink(url, relay.hear).catch((error: unknown) => {
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
  async function serveOn(link: Link): Promise<void> {
    const names = await namesOf(link);
    await link.query(`listen "${names.process(relay.channel)}"`);
    relay.use(link, names);
    void link.ended.then(() => wake.abort());
    try {
      while (!closing.signal.aborted) {
        wake = new AbortController();
        await beat(link, names);
        await pause(BEAT_MS, AbortSignal.any([wake.signal, closing.signal]));
      }
    } finally {
      relay.use(undefined, undefined);
      // Closing the connection gives the lead away; before that nothing of ours may be left.
      await retire(!resigned);
    }
  }

  async function beat(link: Link, names: Names): Promise<void> {
    if (leads && resigned) {
      await retire(false);
      await link.query('select pg_advisory_unlock($1, $2)', names.lock);
      await link.query(`unlisten "${names.leader}"`);
    } else if (leads) {
      await link.query('select 1');
    } else if (!resigned && (await takes(link, names))) {
      await link.query(`listen "${names.leader}"`);
      leads = true;
      term = Promise.withResolvers();
      log.info('this process leads all that share the ledger');
      await duties?.begin();
    }
  }

  async function takes(link: Link, { lock }: Names): Promise<boolean> {
    const [row] = await link.query<{ taken: boolean }>('select pg_try_advisory_lock($1, $2) as taken', lock);
    if (row?.taken === true) return true;
    await link.query(CUT_OFF, [...lock, silentMs]);
    return false;
  }

  async function retire(lost: boolean): Promise<void> {
    if (!leads) return;
    leads = false;
    try {
      await duties?.end(lost);
    } finally {
      term.resolve();
    }
  }

  return {
    relay,
    async stand(ours) {
      duties = ours;
      running = live();
    },
    async resign() {
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
