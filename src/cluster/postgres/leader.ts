import { sleep } from '../../base/async.ts';
import type { Logger } from '../../base/log.ts';
import type { Leadership, LeaderTasks } from '../leadership.ts';
import type { Relay } from '../relay.ts';
import type { RelayHandlers } from '../relay-handlers.ts';
import { type ClusterConnection, openClusterConnection } from './connection.ts';
import { type ClusterNames, readClusterNames } from './names.ts';
import { PostgresRelay } from './relay.ts';

export interface PostgresLeaderOptions {
  /** The URL of the ledger's database. */
  readonly url: string;
  readonly log: Logger;
  readonly handlers: RelayHandlers;
  /** Milliseconds after which a leader that sends nothing is disconnected; shorter in tests. */
  readonly idleLimitMs?: number;
}

export interface PostgresLeader extends Leadership {
  readonly relay: Relay;
  /** Closes the connection. The relay to other processes works until then, also after `stop`. */
  close(): Promise<void>;
}

/** Interval of the leader's heartbeats, and of the others' attempts to take the lock. */
const HEARTBEAT_MS = 1_000;
/** The default of `idleLimitMs`. Without a limit, a suspended process would keep its connection and the lock. */
const IDLE_LIMIT_MS = 15_000;

/**
 * Disconnects the session with the lock ($1, $2) if it has been idle for $3 milliseconds. A running leader sends a heartbeat every
 * second, so such a leader is suspended or unreachable.
 */
const DISCONNECT_IDLE_LEADER = `
  select pg_terminate_backend(holder.pid) from pg_locks as held
    join pg_stat_activity as holder on holder.pid = held.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 2
      and held.database = (select oid from pg_database where datname = current_database())
      and held.classid = $1 and held.objid = $2
      and holder.state_change < clock_timestamp() - $3 * interval '1 millisecond'`;

export function createPostgresLeader(options: PostgresLeaderOptions): PostgresLeader {
  return new LockLeadership(options);
}

/**
 * Leads while it holds an advisory lock of the ledger's database, on a separate connection. A process that loses the connection
 * notices that before the database gives the lock to another process, if their clocks run at about the same rate.
 *
 *     state         | connection | lock | next state
 *     --------------|------------|------|----------------------------------------------------------
 *     disconnected  | no         | no   | connected → candidate (retries every HEARTBEAT_MS)
 *     candidate     | yes        | no   | lock taken → leading; connection lost → disconnected
 *     leading       | yes        | yes  | stop() → stopped; connection lost → disconnected (tasks: lost)
 *     stopped       | yes        | no   | close() → closed; keeps the connection for the relay only
 *     closed        | no         | no   | final
 */
class LockLeadership implements PostgresLeader {
  readonly relay: PostgresRelay;
  readonly #url: string;
  readonly #log: Logger;
  readonly #idleLimitMs: number;
  readonly #closing = new AbortController();
  #tasks: LeaderTasks | undefined;
  #isLeading = false;
  #isStopped = false;
  #running: Promise<void> | undefined;
  /** The promise is resolved while this process does not lead. */
  #term = resolvedTerm();
  /** Ends the pause before the next heartbeat. */
  #wake = new AbortController();

  constructor({ url, log, handlers, idleLimitMs = IDLE_LIMIT_MS }: PostgresLeaderOptions) {
    this.#url = url;
    this.#log = log;
    this.#idleLimitMs = idleLimitMs;
    this.relay = new PostgresRelay(log, handlers, () => this.#isLeading);
  }

  async start(tasks: LeaderTasks): Promise<void> {
    this.#tasks = tasks;
    this.#running = this.#reconnectForever();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake.abort();
    await this.#term.promise;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #reconnectForever(): Promise<void> {
    let isDown = false;
    while (!this.#closing.signal.aborted) {
      const connection = await this.#connect(isDown);
      isDown = connection === undefined;
      if (connection) {
        await this.#useConnection(connection).catch((error: unknown) =>
          this.#log.warn(
            { err: error },
            'the PostgreSQL connection for the leader lock was lost; reconnecting',
          ),
        );
        connection.close();
      }
      await sleep(HEARTBEAT_MS, this.#closing.signal);
    }
  }

  /** Opens a connection. Returns undefined if PostgreSQL cannot be reached, which is logged once per outage. */
  async #connect(isDown: boolean): Promise<ClusterConnection | undefined> {
    try {
      return await openClusterConnection(this.#url, this.relay.receiveNotification);
    } catch (error) {
      if (!isDown)
        this.#log.warn({ err: error }, 'cannot connect to PostgreSQL, so this process cannot lead; retrying');
      return undefined;
    }
  }

  /** Runs heartbeats until `close()`. Rejects when the connection is lost. */
  async #useConnection(connection: ClusterConnection): Promise<void> {
    const names = await readClusterNames(connection);
    await connection.query(`listen "${names.processChannel(this.relay.id)}"`);
    this.relay.setConnection(connection, names);
    void connection.closed.then(() => this.#wake.abort());
    try {
      while (!this.#closing.signal.aborted) {
        this.#wake = new AbortController();
        await this.#beat(connection, names);
        await sleep(HEARTBEAT_MS, AbortSignal.any([this.#wake.signal, this.#closing.signal]));
      }
    } finally {
      this.relay.setConnection(undefined, undefined);
      // Closing the connection releases the lock, so the tasks must stop first.
      await this.#stopLeading(!this.#isStopped);
    }
  }

  async #beat(connection: ClusterConnection, names: ClusterNames): Promise<void> {
    if (this.#isLeading && this.#isStopped) {
      await this.#stopLeading(false);
      await this.#unlock(connection, names);
    } else if (this.#isLeading) {
      await connection.query('select 1');
    } else if (!this.#isStopped && (await this.#tryLock(connection, names))) {
      await connection.query(`listen "${names.leaderChannel}"`);
      // `stop` may have been called and has returned meanwhile: this process did not lead yet.
      if (this.#isStopped) await this.#unlock(connection, names);
      else await this.#lead();
    }
  }

  async #lead(): Promise<void> {
    this.#isLeading = true;
    this.#term = Promise.withResolvers();
    this.#log.info('this process leads all instances that share the ledger');
    await this.#tasks?.startLeading();
  }

  async #unlock(connection: ClusterConnection, { leaderLock, leaderChannel }: ClusterNames): Promise<void> {
    await connection.query('select pg_advisory_unlock($1, $2)', leaderLock);
    await connection.query(`unlisten "${leaderChannel}"`);
  }

  async #tryLock(connection: ClusterConnection, { leaderLock }: ClusterNames): Promise<boolean> {
    const sql = 'select pg_try_advisory_lock($1, $2) as taken';
    const [row] = await connection.query<{ taken: boolean }>(sql, leaderLock);
    if (row?.taken === true) return true;
    await connection.query(DISCONNECT_IDLE_LEADER, [...leaderLock, this.#idleLimitMs]);
    return false;
  }

  async #stopLeading(lost: boolean): Promise<void> {
    if (!this.#isLeading) return;
    this.#isLeading = false;
    try {
      await this.#tasks?.stopLeading(lost);
    } finally {
      this.#term.resolve();
    }
  }
}

function resolvedTerm(): PromiseWithResolvers<void> {
  const term = Promise.withResolvers<void>();
  term.resolve();
  return term;
}
