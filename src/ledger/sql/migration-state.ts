import type { MigrationState } from '../contract/copy.ts';
import { LedgerError } from '../contract/ledger-error.ts';
import type { AllowedIn, Queryable } from './database.ts';

/** The standing that is kept; a ledger that nobody moves keeps none. */
export const SELECT_MIGRATION_STATE = 'select state from migration_state';

export async function readMigrationState(q: Queryable): Promise<MigrationState> {
  const [row] = await q.query<{ state: MigrationState }>(SELECT_MIGRATION_STATE);
  return row?.state ?? 'open';
}

/** See `CopyStore.setMigrationState`; nobody else may be in the middle of anything. */
export async function writeMigrationState(q: Queryable, to: MigrationState): Promise<void> {
  await q.query('delete from migration_state');
  if (to !== 'open') await q.query('insert into migration_state (state) values ($1)', [to]);
}

const ADMITTED: Readonly<Record<Exclude<AllowedIn, 'always'>, readonly MigrationState[]>> = {
  open: ['open'],
  open_or_closing: ['open', 'closing'],
  importing: ['importing'],
};

const WHY: Readonly<Record<MigrationState, string>> = {
  open: 'Nothing is being moved to this ledger.',
  closing: 'The ledger is being moved to another place.',
  moved: 'The ledger has moved to another place: start Porter with the config of the new one.',
  importing: 'The ledger is still being moved to this place: porter move --finish opens it.',
};

/** Undefined where work of this kind may be done. */
export function migrationStateError(
  found: MigrationState,
  admits: Exclude<AllowedIn, 'always'>,
): LedgerError | undefined {
  if (ADMITTED[admits].includes(found)) return undefined;
  return new LedgerError('moved', WHY[found]);
}
