import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { withRelayTimeout } from '../relay-timeout.ts';

/** How long the server may take for one small statement before the connection counts as lost. */
export const STATEMENT_TIMEOUT_MS = 3_000;
const CONNECT_MS = 5_000;
/** For the goodbye; a server that is cut off never takes it. */
const GOODBYE_MS = 1_000;

/**
 * What PostgreSQL does to find out that this machine is gone: about as long as this process takes to find out that
 * it is cut off, and then some, so that it has stopped before another begins. Sockets of the same machine need none
 * of it, and pass over it.
 */
const SESSION = [
  'set tcp_keepalives_idle = 2',
  'set tcp_keepalives_interval = 1',
  'set tcp_keepalives_count = 3',
  'set tcp_user_timeout = 5000',
  // Nothing that is said here has to survive a power cut.
  'set synchronous_commit = off',
].join('; ');

/** One connection of our own, with one statement after the other, beside the ledger's pool: it holds a lock, and hears what other processes say. */
export interface ClusterConnection {
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Resolves when it is lost or closed. */
  readonly closed: Promise<void>;
  close(): void;
}

/** @throws what the driver says where the server cannot be reached. */
export async function openClusterConnection(
  url: string,
  onNotice: (payload: string) => void,
): Promise<ClusterConnection> {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: url,
    stream: () => socket,
    application_name: 'porter leader',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS,
  });
  const ended = Promise.withResolvers<void>();
  let closed = false;
  const close = () => {
    ended.resolve();
    if (closed) return;
    closed = true;
    client.end().catch(() => {});
    setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
  };
  client.on('error', close);
  client.on('end', close);
  client.on('notification', ({ payload }) => onNotice(payload ?? ''));
  let last: Promise<unknown> = Promise.resolve();
  const query = <Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> => {
    const run = async () => {
      if (closed) throw new Error('the connection to PostgreSQL is closed');
      const { rows } = await answerOf(client.query(sql, [...values]));
      return rows as Row[];
    };
    const answer = last.then(run, run);
    last = answer;
    return answer;
  };
  try {
    await client.connect();
    await client.query(SESSION);
  } catch (error) {
    close();
    throw error;
  }
  return { query, closed: ended.promise, close };
}

async function answerOf<T>(answer: Promise<T>): Promise<T> {
  try {
    return await withRelayTimeout(answer, STATEMENT_TIMEOUT_MS);
  } catch (fault) {
    // If this process itself stood still, what came meanwhile is heard first.
    await nextTurn();
    return await Promise.race([answer, Promise.reject(fault)]);
  }
}
