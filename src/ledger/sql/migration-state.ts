import { MIGRATION_STATE_MESSAGES, type MigrationState } from '../contract/copy.ts';
import { LedgerError } from '../contract/ledger-error.ts';
import type { StoreIdentity } from '../contract/store-identity.ts';
import type { AllowedIn, Queryable } from './database.ts';

/** Selects the migration state. No row means `open`. */
export const SELECT_MIGRATION_STATE = 'select state from migration_state';

/** Implements `CopyStore.migrationState`. */
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

/** Returns the error of a method that this state does not allow. Returns undefined if it is allowed. */
export function migrationStateError(
  state: MigrationState,
  allowedIn: Exclude<AllowedIn, 'always'>,
): LedgerError | undefined {
  if (ALLOWED_STATES[allowedIn].includes(state)) return undefined;
  return new LedgerError('moved', MIGRATION_STATE_MESSAGES[state]);
}

/** Implements `IdentityStore.storeIdentity`. */
export async function readStoreIdentity(q: Queryable): Promise<StoreIdentity | null> {
  const [row] = await q.query<{ id: string; is_marked: number }>('select id, is_marked from store_identity');
  return row ? { id: row.id, isMarked: row.is_marked === 1 } : null;
}

/** Implements `IdentityStore.setStoreIdentity`. */
export async function writeStoreIdentity(
  q: Queryable,
  { id, isMarked, replaces }: StoreIdentity & { readonly replaces: string | null },
): Promise<StoreIdentity> {
  const marked = isMarked ? 1 : 0;
  if (replaces === null) {
    await q.query(
      'insert into store_identity (one_row, id, is_marked) values (1, $1, $2) on conflict do nothing',
      [id, marked],
    );
  } else {
    await q.query('update store_identity set id = $1, is_marked = $2 where id = $3', [id, marked, replaces]);
  }
  return (await readStoreIdentity(q)) ?? { id, isMarked };
}
