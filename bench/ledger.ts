/**
 * Measures the throughput of the SQLite ledger: `node bench/ledger.ts [ROWS]` (default 1,000,000). Uses the thread of
 * the server, with 64 concurrent callers, on a new file in the temporary folder.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attemptBlobKey, directToken } from '../src/base/blob-keys.ts';
import { timeOrderedId, toPutKey } from '../src/base/ids.ts';
import type { Ledger, Reservation } from '../src/ledger/contract/ledger.ts';
import { insertMany, type Queryable, type SqlValue } from '../src/ledger/sql/database.ts';
import { SqliteDatabase } from '../src/ledger/sqlite/database.ts';
import { openSqliteLedger } from '../src/ledger/sqlite/open.ts';
import { limits } from './reservation.ts';

const CALLERS = 64;
const SECONDS = 4;
const OWNERS = 1000;
const DAY = 86_400_000;
const START = Date.now();

const ownerOf = (i: number) => `user${i % OWNERS}@example.org`;

function reservation(i: number): Reservation {
  const now = START + i;
  const id = timeOrderedId(now);
  const file = {
    name: 'picture.jpg',
    type: 'image/jpeg',
    size: 100_000,
    blob: `${id.slice(-2)}/${id}.jpg`,
  };
  return {
    upload: {
      id,
      locator: id,
      owner: ownerOf(i),
      endpoint: 'component',
      purpose: '',
      ...file,
      deadline: now + 360_000,
      expiresAt: null,
    },
    putKey: toPutKey(id),
    limits,
    evict: false,
    lifetimes: { '': { maxAge: 30 * DAY, evictable: true } },
    now,
  };
}

const fileOf = ({ upload }: Pick<Reservation, 'upload'>) => ({
  blob: attemptBlobKey(upload.blob, directToken('bench')),
  instance: 'bench',
});

/** Adds stored uploads of the last 29 days directly to the database, and updates the counters. */
async function grow(file: string, rows: number): Promise<void> {
  const database = new SqliteDatabase({ file, sync: false });
  const owners = await database.query<{ id: number }>('select id from owners');
  for (let done = 0; done < rows; done += 10_000) {
    await database.transaction((q) => insertStored(q, owners, done, Math.min(10_000, rows - done), rows));
  }
  await database.transaction(async (q) => {
    await q.query(
      `update owners set uploads = (select count(*) from uploads where owner_id = owners.id and state = 'stored'),
         bytes = (select coalesce(sum(size), 0) from uploads where owner_id = owners.id and state = 'stored')`,
    );
    await q.query(
      `update totals set uploads = (select sum(uploads) from owners where owners.id % 16 = shard),
         bytes = (select sum(bytes) from owners where owners.id % 16 = shard)`,
    );
  });
  await database.close();
}

const COLUMNS =
  `id put_key owner_id endpoint purpose name type size state blob created_at deadline stored_at may_have_bytes
  reserved_by_put rate_buckets`.split(/\s+/);

async function insertStored(
  q: Queryable,
  owners: readonly { id: number }[],
  from: number,
  count: number,
  rows: number,
): Promise<void> {
  const values = Array.from({ length: count }, (_, i): SqlValue[] => {
    const at = Math.floor(START - 29 * DAY + ((from + i) / rows) * 29 * DAY);
    const id = timeOrderedId(at);
    const owner = owners[Math.floor(Math.random() * owners.length)]?.id ?? 0;
    const file = ['picture.jpg', 'image/jpeg', 100_000, 'stored', `${id.slice(-2)}/${id}.jpg`];
    return [id, toPutKey(id), owner, 'component', '', ...file, at, at + 360_000, at, 1, 0, ''];
  });
  await insertMany(q, { table: 'uploads', columns: COLUMNS }, values);
}

/** Measures calls per second, with `CALLERS` concurrent calls. */
async function rate(call: (i: number) => Promise<unknown>): Promise<number> {
  let calls = 0;
  const start = performance.now();
  const caller = async () => {
    while (performance.now() - start < SECONDS * 1000) await call(calls++);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return Math.round(calls / ((performance.now() - start) / 1000));
}

async function measure(ledger: Ledger, label: string): Promise<void> {
  const ids: string[] = [];
  const reserved = await rate(async (i) => {
    const order = reservation(i);
    if (!(await ledger.reserve(order)).granted) throw new Error('A reservation was refused.');
    ids.push(order.upload.id);
  });
  const uploads = await rate(async (i) => {
    const order = reservation(i);
    const { id, size } = order.upload;
    await ledger.reserve(order);
    const by = { putKey: order.putKey ?? '' };
    await ledger.claim({ by, token: id, instance: 'bench', now: order.now });
    if (
      !(await ledger.commit({
        id,
        token: id,
        blob: attemptBlobKey(order.upload.blob, id),
        now: order.now,
        size,
      }))
    )
      throw new Error('A commit was lost.');
  });
  const slots = await rate(async (i) => {
    const order = reservation(i);
    const { id, size } = order.upload;
    await ledger.reserve(order);
    if (!(await ledger.storeSlot({ id, size, now: order.now, ...fileOf(order) })))
      throw new Error('A slot was not stored.');
  });
  const direct = await rate(async (i) => {
    const { putKey, ...order } = reservation(i);
    const upload = { ...order.upload, locator: `external:${putKey}` };
    if (!(await ledger.storeNew({ ...order, upload, file: fileOf(order) })).granted)
      throw new Error('An upload was not stored.');
  });
  const pages = await Promise.all(
    '0123456789abcdefghjkmnpqrstvwxyz'.split('').map((after) => ledger.listUploads({ after, limit: 300 })),
  );
  const all = pages.flat().map(({ locator }) => locator);
  const found = await rate(async (i) => {
    if (!(await ledger.find(all[(i * 7919) % all.length] ?? ''))) throw new Error('An upload was not found.');
  });
  console.log(
    `${label.padEnd(24)} reserve ${reserved}/s   reserve+claim+commit ${uploads}/s   reserve+storeSlot ${slots}/s   ` +
      `storeNew ${direct}/s   find ${found}/s`,
  );
}

const rows = Number(process.argv[2] ?? 1_000_000);
const folder = await mkdtemp(join(tmpdir(), 'porter-bench-ledger-'));
try {
  for (const sync of [true, false]) {
    const file = join(folder, `${sync ? 'sync' : 'fast'}.db`);
    const ledger = await openSqliteLedger({ file, sync });
    const machine = { host: 'bench', machineId: '', bootId: '', pidNamespace: '' };
    await ledger.heartbeat({ id: 'bench', pid: process.pid, ...machine, clockSkewMs: null });
    await Promise.all(Array.from({ length: OWNERS }, (_, i) => ledger.reserve(reservation(i))));
    await grow(file, 10_000);
    await measure(ledger, `sync ${sync}, 10,000 rows`);
    await grow(file, rows);
    await measure(ledger, `sync ${sync}, ${rows.toLocaleString('en')} rows`);
    await ledger.close();
  }
} finally {
  await rm(folder, { recursive: true });
}
