import type { Migration } from './migrate.ts';
import { statementsOf } from './migrate.ts';

/** The indexes after all migrations. */
export interface IndexPlan {
  /** By name: the statement that creates it, with the names that table and columns have now. */
  readonly present: ReadonlyMap<string, string>;
  /** Names of indexes that a migration has dropped. */
  readonly dropped: ReadonlySet<string>;
}

interface Index {
  readonly table: string;
  readonly sql: string;
}

const CREATE_INDEX = /^create\s+(?:unique\s+)?index\s+(\w+)\s+on\s+(\w+)/i;
const DROP_INDEX = /^drop\s+index\s+(\w+)/i;
const CREATE_TABLE = /^create\s+table\s+(\w+)/i;
const DROP_TABLE = /^drop\s+table\s+(\w+)/i;
const RENAME_TABLE = /^alter\s+table\s+(\w+)\s+rename\s+to\s+(\w+)/i;
const RENAME_COLUMN = /^alter\s+table\s+(\w+)\s+rename\s+column\s+(\w+)\s+to\s+(\w+)/i;

/**
 * Returns whether a statement creates or drops an index of a table that exists before its migration. PostgreSQL blocks all
 * writers of the table meanwhile, unless it does this concurrently and outside of a transaction.
 */
export function isIndexChange(statement: string, migration: Migration): boolean {
  if (DROP_INDEX.test(statement)) return true;
  const table = CREATE_INDEX.exec(statement)?.[2];
  if (table === undefined) return false;
  return !statementsOf(migration.sql).some((other) => CREATE_TABLE.exec(other)?.[1] === table);
}

/** Returns the indexes that all migrations together lead to. The name of a dropped index is never used again. */
export function planIndexes(migrations: readonly Migration[]): IndexPlan {
  const indexes = new Map<string, Index>();
  const dropped = new Set<string>();
  const rewrite = (table: string, change: (index: Index) => Index) => {
    for (const [name, index] of indexes) if (index.table === table) indexes.set(name, change(index));
  };
  for (const statement of migrations.flatMap(({ sql }) => statementsOf(sql))) {
    const [, created, on = ''] = CREATE_INDEX.exec(statement) ?? [];
    if (created !== undefined) indexes.set(created, { table: on, sql: statement });
    const [, droppedName] = DROP_INDEX.exec(statement) ?? [];
    if (droppedName !== undefined && indexes.delete(droppedName)) dropped.add(droppedName);
    const [, droppedTable] = DROP_TABLE.exec(statement) ?? [];
    for (const [name, { table }] of indexes) if (table === droppedTable) indexes.delete(name);
    const [, from = '', to = ''] = RENAME_TABLE.exec(statement) ?? [];
    if (from !== '')
      rewrite(from, ({ sql }) => ({ table: to, sql: sql.replace(` on ${from}`, ` on ${to}`) }));
    const [, table = '', column = '', newColumn = ''] = RENAME_COLUMN.exec(statement) ?? [];
    if (table !== '') rewrite(table, (index) => renameColumn(index, column, newColumn));
  }
  return { present: new Map([...indexes].map(([name, { sql }]) => [name, sql])), dropped };
}

/** Renames a column in a `create index` statement. Column names come after the first parenthesis only. */
function renameColumn({ table, sql }: Index, from: string, to: string): Index {
  const at = sql.indexOf('(');
  return { table, sql: sql.slice(0, at) + sql.slice(at).replaceAll(new RegExp(`\\b${from}\\b`, 'g'), to) };
}
