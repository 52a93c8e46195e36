import type { Ledger } from '../contract/ledger.ts';
import { createLedger } from '../sql/methods.ts';
import { PostgresDatabase, type PostgresOptions } from './database.ts';

/**
 * Opens the ledger in a PostgreSQL database, and migrates the schema. Any number of processes and machines may open it.
 * @throws LedgerError if the database cannot be used, or a newer version of Porter has migrated it.
 */
export async function openPostgresLedger(
  options: Omit<PostgresOptions, 'statementTimeoutMs'>,
): Promise<Ledger> {
  // A migration has no timeout.
  const setup = new PostgresDatabase({ ...options, connections: 1, statementTimeoutMs: 0 });
  try {
    await setup.migrate();
  } finally {
    await setup.close();
  }
  return createLedger(new PostgresDatabase(options));
}
