import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Moves all timestamps in the ledger into the past, so that the test need not wait for a slot to expire. */
export function letTimePass(folder: string, ms: number): void {
  const ledger = new DatabaseSync(join(folder, 'data/porter.db'));
  ledger.exec(`
    update uploads set created_at = created_at - ${ms}, deadline = deadline - ${ms},
      stored_at = stored_at - ${ms}, claimed_at = claimed_at - ${ms};
    update instances set seen_at = seen_at - ${ms};
  `);
  ledger.close();
}
