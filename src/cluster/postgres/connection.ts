import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { withRelayTimeout } from '../relay.ts';

/** Time for one small statement. Without a result in this time, the connection counts as lost. */
export const STATEMENT_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Time for the Terminate message of the protocol, which an unreachable server does not acknowledge. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Settings by which PostgreSQL detects that this machine is unreachable. This process detects a lost connection slightly earlier, so
 * that it has stopped leading before another process begins. Unix sockets ignore them.
 */
const SESSION_SETTINGS = [
  'set tcp_keepalives_idle = 2',
  'set tcp_keepalives_interval = 1',
  'set tcp_keepalives_count = 3',
  'set tcp_user_timeout = 5000',
  // Notifications and locks need not survive a power failure.
  'set synchronous_commit = off',
].join('; ');

/**
 * One connection outside of the ledger's pool. It holds the leader lock and receives notifications, and runs one
 * statement after the other.
 */
export interface ClusterConnection {
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Resolves when the connection is lost or closed. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Opens a connection. Rejects with the driver's error if the server cannot be reached. */
export async function openClusterConnection(
  url: string,
  onNotification: (payload: string) => void,
): Promise<ClusterConnection> {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: url,
    stream: () => socket,
    application_name: 'porter leader',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  const closed = Promise.withResolvers<void>();
  let isClosed = false;
  const close = () => {
    closed.resolve();
    if (isClosed) return;
    isClosed = true;
    client.end().catch(() => {});
    setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  };
  client.on('error', close);
  client.on('end', close);
  client.on('notification', ({ payload }) => onNotification(payload ?? ''));
  let last: Promise<unknown> = Promise.resolve();
  const query = <Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> => {
    const run = async () => {
      if (isClosed) throw new Error('The connection to PostgreSQL is closed.');
      const { rows } = await withStatementTimeout(client.query(sql, [...values]));
      return rows as Row[];
    };
    const result = last.then(run, run);
    last = result;
    return result;
  };
  try {
    await client.connect();
    await client.query(SESSION_SETTINGS);
  } catch (error) {
    close();
    throw error;
  }
  return { query, closed: closed.promise, close };
}

async function withStatementTimeout<T>(result: Promise<T>): Promise<T> {
  try {
    return await withRelayTimeout(result, STATEMENT_TIMEOUT_MS);
  } catch (error) {
    // If this process was suspended, the timer fires before the socket is read. So the socket is read once more.
    await nextTurn();
    return await Promise.race([result, Promise.reject(error)]);
  }
}
