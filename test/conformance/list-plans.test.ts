import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import { PostgresDatabase } from '../../src/ledger/postgres/database.ts';
import type { Database, Queryable, SqlValue } from '../../src/ledger/sql/database.ts';
import { createLedger } from '../../src/ledger/sql/methods.ts';
import { SqliteDatabase } from '../../src/ledger/sqlite/database.ts';
import { needs } from '../real/peers/peers.ts';
import { type PostgresServer, startPostgres } from '../real/peers/postgres.ts';
import { JULIET, NOW, ROMEO, store } from './ledger/fixture.ts';

/** Calls that read the lists of the web page that may have millions of rows: the first page of each, and a later one. */
const LISTS: Readonly<Record<string, readonly ((ledger: Ledger) => Promise<unknown>)[]>> = {
  'all files, the newest first': (['newest', 'oldest'] as const).flatMap((sort) => [
    (ledger) => ledger.listFiles({ sort, state: 'stored', limit: 50 }),
    (ledger) => ledger.listFiles({ sort, state: 'stored', limit: 50, after: ['0'] }),
    (ledger) =>
      ledger.listFiles({ sort, state: 'stored', limit: 50, text: 'a', type: 'image/', after: ['0'] }),
  ]),
  'the files of one user, by time': (['newest', 'oldest'] as const).flatMap((sort) => [
    (ledger) => ledger.listFiles({ sort, state: 'stored', limit: 50, owners: [ROMEO] }),
    (ledger) => ledger.listFiles({ sort, state: 'stored', limit: 50, owners: [ROMEO], after: ['0'] }),
    (ledger) => ledger.listFiles({ sort, state: 'stored', limit: 50, owners: [ROMEO], text: 'a' }),
    (ledger) => ledger.listFiles({ sort, state: 'issued', limit: 50, owners: [ROMEO] }),
  ]),
  'slots that wait for their uploads': [
    (ledger) => ledger.listFiles({ sort: 'newest', state: 'issued', limit: 50 }),
  ],
  'files that were not scanned': [
    (ledger) => ledger.listFiles({ sort: 'newest', state: 'stored', limit: 50, isUnscanned: true }),
  ],
  'all files, the largest first': [
    (ledger) => ledger.listFiles({ sort: 'largest', state: 'stored', limit: 50 }),
    (ledger) => ledger.listFiles({ sort: 'largest', state: 'stored', limit: 50, after: [2 ** 30, '0'] }),
  ],
  'users by address': [
    (ledger) => ledger.listUsers({ sort: 'name', limit: 50 }),
    (ledger) => ledger.listUsers({ sort: 'name', limit: 50, after: [JULIET] }),
  ],
  'users by storage': [
    (ledger) => ledger.listUsers({ sort: 'largest', limit: 50 }),
    (ledger) => ledger.listUsers({ sort: 'largest', limit: 50, after: [100, 1] }),
  ],
  'deleted files': [
    (ledger) => ledger.listTrash({ limit: 50 }),
    (ledger) => ledger.listTrash({ limit: 50, before: { removedAt: NOW, id: '0' } }),
  ],
  'the audit log': [
    (ledger) => ledger.listAudit({ limit: 50 }),
    (ledger) => ledger.listAudit({ limit: 50, before: '0' }),
  ],
};

type TestDatabase = Database & { migrate(): Promise<void> };
type Statement = readonly [sql: string, params: readonly SqlValue[]];

/** Returns the steps of the plan that read or sort whole tables. */
type FindSlowSteps = (db: Database, statement: Statement) => Promise<string[]>;

function suite(name: string, open: () => Promise<TestDatabase>, findSlowSteps: FindSlowSteps): void {
  describe(`lists of the web page on ${name}`, () => {
    let db: TestDatabase;
    before(async () => {
      db = await open();
      await db.migrate();
      const ledger = createLedger(db);
      for (const owner of [ROMEO, JULIET]) await store(ledger, { upload: { owner, size: 5_000_000 } });
    });
    after(() => db?.close());

    for (const [list, calls] of Object.entries(LISTS)) {
      test(`read ${list} from an index, on every page`, async () => {
        const statements: Statement[] = [];
        const recorded: Queryable = {
          nowSql: db.nowSql,
          isConcurrent: db.isConcurrent,
          async query<Row>(sql: string, params: readonly SqlValue[] = []) {
            statements.push([sql, params]);
            return await db.query<Row>(sql, params);
          },
          async execute(sql, params = []) {
            statements.push([sql, params]);
            return await db.execute(sql, params);
          },
        };
        const ledger = createLedger({
          ...recorded,
          transaction: db.transaction.bind(db),
          exclusive: db.exclusive.bind(db),
          close: async () => undefined,
        });
        for (const run of calls) await run(ledger);
        assert.ok(statements.length >= calls.length);
        for (const statement of statements)
          assert.deepEqual(await findSlowSteps(db, statement), [], statement[0]);
      });
    }
  });
}

/** The lists read a window of bounded size first. Steps outside of it read only the window. */
const findSlowStepsOfSqlite: FindSlowSteps = async (db, [sql, params]) => {
  const steps = await db.query<{ id: number; parent: number; detail: string }>(
    `explain query plan ${sql}`,
    params,
  );
  const window = steps.find(({ detail }) => /^(CO-ROUTINE|MATERIALIZE)/.test(detail));
  return steps
    .filter(({ parent }) => window === undefined || parent === window.id)
    .map(({ detail }) => detail)
    .filter((detail) => /^SCAN (?!.* USING)|TEMP B-TREE FOR (?!LAST)/.test(detail));
};

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Although both are switched off, PostgreSQL uses a sort or a sequential scan if it has no other plan. */
const findSlowStepsOfPostgres: FindSlowSteps = async (db, [sql, params]) =>
  await db.transaction(
    async (q) => {
      for (const kind of ['seqscan', 'sort', 'bitmapscan']) await q.query(`set local enable_${kind} = off`);
      const [row] = await q.query<{ 'QUERY PLAN': string | { Plan: PlanNode }[] }>(
        `explain (format json) ${sql}`,
        params,
      );
      const text = row?.['QUERY PLAN'] ?? '[]';
      const plans = typeof text === 'string' ? (JSON.parse(text) as { Plan: PlanNode }[]) : text;
      return plans.flatMap(({ Plan }) => slowNodes(Plan));
    },
    'lazy',
    'always',
  );

function slowNodes(node: PlanNode): string[] {
  const { 'Node Type': type, 'Relation Name': relation, Plans = [] } = node;
  const isSlow = type === 'Sort' || type === 'Seq Scan';
  return [...(isSlow ? [`${type} ${relation ?? ''}`] : []), ...Plans.flatMap(slowNodes)];
}

describe('SQLite', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-plans-'));
  });
  after(() => rm(folder, { recursive: true }));
  suite(
    'SQLite',
    async () => new SqliteDatabase({ file: join(folder, 'porter.db'), sync: false }),
    findSlowStepsOfSqlite,
  );
});

describe('PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.remove());
  suite(
    'PostgreSQL',
    async () => new PostgresDatabase({ url: await server.createSchema(), sync: true, connections: 2 }),
    findSlowStepsOfPostgres,
  );
});
