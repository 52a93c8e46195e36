import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';

/** One connection of a client. Runs one statement at a time. */
export interface ProbeSession {
  pid(): Promise<number>;
  run(statement: 'begin' | 'commit'): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Returns whether a pooler such as PgBouncer gives connections to clients for one transaction only (`pool_mode = transaction`).
 * Then two open connections share one process of the server, or the process of a connection changes.
 */
export async function usesTransactionPooling(open: () => Promise<ProbeSession>): Promise<boolean> {
  const one = await open();
  try {
    const other = await open();
    try {
      const first = await one.pid();
      await other.run('begin');
      const isShared = (await other.pid()) === first;
      // With a pool of one connection, `one` would wait for the end of this transaction.
      const hasMoved = !isShared && (await one.pid()) !== first;
      await other.run('commit');
      return isShared || hasMoved;
    } finally {
      await other.close();
    }
  } finally {
    await one.close();
  }
}

/**
 * Throws if the URL leads to a pooler in transaction mode: the leader's lock and notifications need a session, so two instances
 * would lead at once. Ignores a server that cannot be reached, which the ledger reports.
 */
export async function assertSessions(url: string): Promise<void> {
  const isPooled = await usesTransactionPooling(() => openSession(url)).catch(() => false);
  if (!isPooled) return;
  throw new LedgerError(
    'denied',
    'storage.ledger leads to a pooler in transaction mode, such as PgBouncer with pool_mode = transaction. ' +
      'Connect to PostgreSQL directly, or set pool_mode = session.',
  );
}

async function openSession(url: string): Promise<ProbeSession> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'porter',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => {});
  await client.connect();
  return {
    pid: async () => (await client.query('select pg_backend_pid() as pid')).rows[0].pid,
    run: async (statement) => void (await client.query(statement)),
    close: () => client.end(),
  };
}
