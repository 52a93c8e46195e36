import type { Ledger } from '../contract/ledger.ts';
import { createLedger } from '../sql/methods.ts';
import { PostgresDatabase, type PostgresOptions } from './database.ts';

/**
 * Opens the ledger in a PostgreSQL database, which is brought up to this program. Any number of processes and
 * machines may have one open.
 * @throws LedgerError where it cannot be opened, or is newer than this program.
 */
export async function openPostgresLedger(
  options: Omit<PostgresOptions, 'statementTimeoutMs'>,
): Promise<Ledger> {
  // A migration takes as long as it takes.
  const setup = new PostgresDatabase({ ...options, connections: 1, statementTimeoutMs: 0 });
  try {
    await setup.migrate();
  } finally {
    await setup.close();
  }
  return createLedger(new PostgresDatabase(options));
}
