import type { MigrationState } from '../contract/copy.ts';
import { LedgerError } from '../contract/ledger-error.ts';
import type { AllowedIn, Queryable } from './database.ts';

/** Selects the migration state. No row means `open`. */
export const SELECT_MIGRATION_STATE = 'select state from migration_state';

export async function readMigrationState(q: Queryable): Promise<MigrationState> {
  const [row] = await q.query<{ state: MigrationState }>(SELECT_MIGRATION_STATE);
  return row?.state ?? 'open';
}

/** Implements `CopyStore.setMigrationState`. The caller must run it in `Database.exclusive`. */
export async function writeMigrationState(q: Queryable, state: MigrationState): Promise<void> {
  await q.query('delete from migration_state');
  if (state !== 'open') await q.query('insert into migration_state (state) values ($1)', [state]);
}

const ALLOWED_STATES: Readonly<Record<Exclude<AllowedIn, 'always'>, readonly MigrationState[]>> = {
  open: ['open'],
  open_or_closing: ['open', 'closing'],
  importing: ['importing'],
};

const MESSAGES: Readonly<Record<MigrationState, string>> = {
  open: 'No move to this ledger is running.',
  closing:
    'The ledger is being moved, so it takes no uploads and no messages. Wait until porter move is done.',
  moved: 'The ledger was moved. Start Porter with the config of the new ledger.',
  importing: 'A move to this ledger is not finished. Run: porter move --finish',
};

/** Returns the error of a method that this state does not allow. Returns undefined if it is allowed. */
export function migrationStateError(
  state: MigrationState,
  allowedIn: Exclude<AllowedIn, 'always'>,
): LedgerError | undefined {
  if (ALLOWED_STATES[allowedIn].includes(state)) return undefined;
  return new LedgerError('moved', MESSAGES[state]);
}
