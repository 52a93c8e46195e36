import type { Ledger } from './contract.ts';
import { createLedger } from './ledger.ts';
import { PostgresDatabase, type PostgresOptions } from './postgres-database.ts';

/**
 * Opens the ledger in a PostgreSQL database, which is brought up to this program. Any number of processes and
 * machines may have one open.
 * @throws LedgerFault where it cannot be opened, or is newer than this program.
 */
export async function openPostgresLedger(options: Omit<PostgresOptions, 'answerWithin'>): Promise<Ledger> {
  // A migration takes as long as it takes.
  const setup = new PostgresDatabase({ ...options, connections: 1, answerWithin: 0 });
  try {
    await setup.migrate();
  } finally {
    await setup.close();
  }
  return createLedger(new PostgresDatabase(options));
}
