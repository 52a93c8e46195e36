import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../base/package-files.ts';
import { LedgerError } from '../contract/ledger.ts';
import type { Queryable } from './database.ts';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const FOLDER = fileURLToPath(packageFile('migrations/'));
const FILE = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** Reads the numbered SQL files of this version, in order. Released files are never edited. */
export async function readMigrations(folder: string = FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).sort();
  const found = names.map((file) => ({ file, match: FILE.exec(file) })).filter(({ match }) => match !== null);
  return await Promise.all(
    found.map(async ({ file, match }) => ({
      version: Number(match?.[1]),
      name: match?.[2] ?? '',
      sql: await readFile(`${folder}/${file}`, 'utf8'),
    })),
  );
}

/** Returns whether the caller executes a statement later, instead of `migrate`. Not used for an empty database. */
export type IsDeferred = (statement: string, migration: Migration) => boolean;

/**
 * Applies the missing migrations. The caller must hold a lock on the whole schema, so that only one of several starting
 * processes migrates. Rejects with `LedgerError('newer')` if a newer version has migrated the database.
 */
export async function migrate(
  q: Queryable,
  migrations: readonly Migration[],
  now: number = Date.now(),
  isDeferred: IsDeferred = () => false,
): Promise<void> {
  await q.query(
    'create table if not exists migrations (version integer primary key, name text not null, applied_at bigint not null)',
  );
  const rows = await q.query<{ version: number }>('select version from migrations');
  const applied = new Set(rows.map(({ version }) => version));
  checkVersion(Math.max(0, ...applied), migrations.at(-1)?.version ?? 0);
  for (const migration of migrations.filter((one) => !applied.has(one.version))) {
    const { version, name, sql } = migration;
    for (const statement of statementsOf(sql)) {
      if (applied.size === 0 || !isDeferred(statement, migration)) await q.query(statement);
    }
    await q.query('insert into migrations (version, name, applied_at) values ($1, $2, $3)', [
      version,
      name,
      now,
    ]);
  }
}

function checkVersion(found: number, supported: number): void {
  if (found <= supported) return;
  throw new LedgerError(
    'newer',
    `The ledger was migrated by a newer version of Porter (migration ${found}; this version supports ${supported}). Start the newer version.`,
  );
}

/** Splits a file into statements. A semicolon at the end of a line ends a statement. */
export function statementsOf(sql: string): string[] {
  return sql
    .replace(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
