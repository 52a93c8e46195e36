/**
 * Fills a new ledger with history. Writes to the database directly, with correct counters and indexes:
 * `node bench/fill.ts FILE-OR-URL [UPLOADS [OWNERS]]` (default: 10,000,000 uploads of 100,000 owners).
 */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { timeOrderedId } from '../src/base/ids.ts';
import { ANONYMOUS_OWNER } from '../src/base/owners.ts';
import { openPostgresLedger } from '../src/ledger/postgres/open.ts';
import { openSqliteLedger } from '../src/ledger/sqlite/open.ts';

export interface History {
  readonly uploads: number;
  readonly owners: number;
  /** The end of the history, milliseconds since 1970. */
  readonly now: number;
}

export const DAY = 86_400_000;
/** The owner of one upload in a hundred. */
export const BUSY_USER = 'user2@example.org';
/** Milliseconds. With a retention of 30 days, a ledger has files of the last 30 days. This is one day less. */
const SPAN = 29 * DAY;
/** Rows of one statement. Their ids begin with the same second. */
const BATCH = 1000;
/** Rows of one transaction. A transaction writes each changed page only once. */
const COMMIT_EVERY = 500_000;
/** Removal records per stored upload. */
const REMOVED = 0.1;

/** Direct access to a database, and the SQL that differs between the engines. */
interface Engine {
  run(sql: string): Promise<void>;
  /** SQL for random hex digits (a multiple of 32), new for each row. */
  hex(digits: number): string;
  /** SQL for a random integer from 1 to `count`. */
  oneOf(count: number): string;
  end(): Promise<void>;
}

/** Creates and fills a ledger. `database` is a new SQLite file or an empty `postgres://…` database. */
export async function fillLedger(
  database: string,
  history: History,
  report = (_: string) => {},
): Promise<void> {
  const isPostgres = database.startsWith('postgres:');
  const ledger = isPostgres
    ? await openPostgresLedger({ url: database, sync: false })
    : await openSqliteLedger({ file: database, sync: false });
  await ledger.close();
  const engine = isPostgres ? await postgresEngine(database) : sqliteEngine(database);
  await fillOwners(engine, history);
  for (let from = 0; from < history.uploads; from += BATCH) {
    if (from % COMMIT_EVERY === 0) await engine.run(from === 0 ? 'begin' : 'commit; begin');
    await fillUploads(engine, history, from, Math.min(BATCH, history.uploads - from));
    if (from % 100_000 === 0) report(`${from.toLocaleString('en')} uploads`);
  }
  await engine.run('commit');
  await fillRemovals(engine, history);
  await updateCounters(engine);
  await engine.run('analyze');
  await engine.end();
}

const series = (from: number, count: number) =>
  `n(i) as (select cast(${from} as bigint) union all select i + 1 from n where i + 1 < ${from + count})`;

async function fillOwners(engine: Engine, { owners }: History): Promise<void> {
  await engine.run(
    `with recursive ${series(1, owners)} insert into owners (id, name, sha1)
       select i, case when i = 1 then '${ANONYMOUS_OWNER}' else 'user' || i || '@example.org' end,
         substr(${engine.hex(64)}, 1, 40) from n`,
  );
}

/**
 * Of ten uploads, one has a purpose and one came by a signed link that names no user. Of a hundred, one is of `BUSY_USER`. Of
 * twenty, one has an expiry time and one is a video of at least 1 MiB. Of fifty, one was not scanned.
 */
async function fillUploads(engine: Engine, history: History, from: number, count: number): Promise<void> {
  const { uploads, owners, now } = history;
  const at = `${now - SPAN} + cast(i * ${SPAN / uploads} as bigint)`;
  const second = timeOrderedId(now - SPAN + (from * SPAN) / uploads).slice(0, 7);
  await engine.run(
    `with recursive ${series(from, count)}, made as materialized (
       select i, ${at} as at, substr('${second}' || ${engine.hex(32)}, 1, 26) as id, ${engine.hex(64)} as hash,
         case when i % 10 = 5 then 1 when i % 100 = 7 then 2 else ${engine.oneOf(owners)} end as owner_id from n)
     insert into uploads (id, locator, put_key, owner_id, endpoint, purpose, name, type, size, state, blob,
         created_at, deadline, stored_at, expires_at, may_have_bytes, reserved_by_put, rate_buckets, scan)
       select id, case when i % 10 = 5 then 'external:' || hash end, case when i % 10 <> 5 then substr(id, 1, 7) || hash end,
         owner_id, case when i % 10 = 5 then 'external' else 'component' end,
         case when i % 10 = 1 then 'profile' else '' end,
         case when i % 20 = 3 then 'VID_' || i || '.mp4' else 'IMG_' || i || '.jpg' end,
         case when i % 20 = 3 then 'video/mp4' else 'image/jpeg' end,
         case when i % 20 = 3 then ${2 ** 20} + i % 997 * 100000 else 50000 + i % 991 * 100 end, 'stored',
         substr(id, 25, 2) || '/' || id || '.jpg', at, at + 360000, at,
         case when i % 20 = 2 then at + ${30 * DAY} end, 1, case when i % 10 = 5 then 1 else 0 end, '',
         case when i % 50 = 9 then 'unavailable' else 'clean' end from made`,
  );
}

async function fillRemovals(engine: Engine, { uploads, owners, now }: History): Promise<void> {
  const count = Math.floor(uploads * REMOVED);
  for (let from = 0; from < count; from += BATCH) {
    const at = `${now - SPAN} + cast(i * ${SPAN / count} as bigint)`;
    const second = timeOrderedId(now - SPAN + (from * SPAN) / count).slice(0, 7);
    await engine.run(
      `with recursive ${series(from, Math.min(BATCH, count - from))}, made as materialized (
         select i, ${at} as at, substr('${second}' || ${engine.hex(32)}, 1, 26) as id,
           ${engine.oneOf(owners)} as owner_id from n)
       insert into removals (locator, removed_at, id, owner_id, endpoint, name, size, was_stored, created_at, reason,
           detail, tombstone)
         select case when i % 10 = 5 then 'external:' else '' end || id, at, id, owner_id,
           case when i % 10 = 5 then 'external' else 'component' end, 'picture.jpg', 100000, 1, at, 'deleted',
           'deleted by its owner', case when i % 10 = 5 then 1 else 0 end from made`,
    );
  }
}

/** Sets the counters to the sums of the rows. */
async function updateCounters(engine: Engine): Promise<void> {
  const sums = 'count(*) as uploads, sum(size) as bytes, max(stored_at) as last_at';
  await engine.run(
    `update owners set uploads = s.uploads, bytes = s.bytes, last_upload_at = s.last_at
       from (select owner_id, ${sums} from uploads group by owner_id) as s where s.owner_id = owners.id`,
  );
  await engine.run(
    `insert into owner_purposes (owner_id, purpose, bytes, pending_bytes)
       select owner_id, purpose, sum(size), 0 from uploads where purpose <> '' group by owner_id, purpose`,
  );
  await engine.run(
    `update totals set owners = s.owners, uploads = s.uploads, bytes = s.bytes
       from (select id % 16 as shard, count(*) as owners, sum(uploads) as uploads, sum(bytes) as bytes
         from owners group by id % 16) as s where s.shard = totals.shard`,
  );
  await engine.run('update totals set removals = (select count(*) from removals) where shard = 0');
}

/** Opens a SQLite file. Its indexes grow row by row as in production. Indexes that are built at the end are more compact. */
function sqliteEngine(file: string): Engine {
  const db = new DatabaseSync(file);
  // SQLite must leave WAL mode before the journal can be turned off.
  for (const setting of [
    'journal_mode = delete',
    'journal_mode = off',
    'synchronous = off',
    'cache_size = -2000000',
  ]) {
    db.exec(`pragma ${setting}`);
  }
  return {
    run: async (sql) => db.exec(sql),
    hex: (digits) => `lower(hex(randomblob(${digits / 2})))`,
    oneOf: (count) => `1 + abs(random() % ${count})`,
    async end() {
      db.exec('pragma journal_mode = wal');
      db.close();
    },
  };
}

async function postgresEngine(url: string): Promise<Engine> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('set synchronous_commit = off');
  return {
    run: async (sql) => void (await client.query(sql)),
    hex: (digits) =>
      Array(digits / 32)
        .fill("replace(gen_random_uuid()::text, '-', '')")
        .join(' || '),
    oneOf: (count) => `1 + floor(random() * ${count})::integer`,
    end: () => client.end(),
  };
}

if (import.meta.main) {
  const [database, uploads = '10000000', owners = '100000'] = process.argv.slice(2);
  if (database === undefined) throw new Error('Usage: node bench/fill.ts FILE-OR-URL [UPLOADS [OWNERS]]');
  const report = (text: string) => process.stderr.write(`\r${text}`);
  await fillLedger(database, { uploads: Number(uploads), owners: Number(owners), now: Date.now() }, report);
}
