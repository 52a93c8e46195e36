/**
 * Measures whether costs grow with history. Runs every ledger operation in turns at ten thousand and at ten million uploads:
 * `npm run bench:history -- [--rounds N] [--only WORD] [--uploads N] [SMALL LARGE]…`. SMALL and LARGE are SQLite files or
 * `postgres://…` URLs that `bench/fill.ts` has filled. Without them, this program fills two SQLite files.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { attemptBlobKey } from '../src/base/blob-keys.ts';
import { timeOrderedId, toPutKey } from '../src/base/ids.ts';
import { ANONYMOUS_OWNER, ownerNamesFor } from '../src/base/owners.ts';
import type { FileQuery, Ledger, PageKey, Reservation } from '../src/ledger/contract/ledger.ts';
import { openPostgresLedger } from '../src/ledger/postgres/open.ts';
import { openSqliteLedger } from '../src/ledger/sqlite/open.ts';
import { blobKey } from '../src/uploads/links.ts';
import { BUSY_USER, DAY, fillLedger } from './fill.ts';
import { limits } from './reservation.ts';
import { toSpread } from './statistics.ts';

/** The target: with a thousand times the history, no operation takes more than this many times as long. */
const BOUND = 1.5;
const CALLERS = 16;
/** Calls per operation and turn. */
const CALLS = 1600;
/** Files per sweep batch. */
const SWEPT = 500;

/** A ledger with its history, and samples of its rows for the operations. */
interface Sample {
  readonly ledger: Ledger;
  readonly owners: readonly string[];
  readonly locators: readonly string[];
  /** The locators of the newest 5,000 files. */
  readonly recent: readonly string[];
  /** Ids of some of the oldest files. A list after one of them is at its last page. */
  readonly oldest: readonly string[];
  /** Owners of `locators`. */
  readonly busy: readonly string[];
  /** Slots that `grant` creates for `put`. */
  slots: Reservation[];
  /** The upper time bound of the next sweep batch. */
  sweptTo: number;
}

/** `run` is called `calls` times per turn, by `callers` concurrent callers. */
interface Operation {
  readonly name: string;
  readonly calls: number;
  readonly callers: number;
  run(sample: Sample, call: number): Promise<unknown>;
}

const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

function reservation(owner: string): Reservation {
  const now = Date.now();
  const id = timeOrderedId(now);
  const file = { name: 'picture.jpg', type: 'image/jpeg', size: 100_000 };
  return {
    upload: {
      ...{ id, locator: id, owner, endpoint: 'component', purpose: '' },
      ...{ ...file, blob: blobKey(id, file.name), deadline: now + 360_000, expiresAt: null },
    },
    putKey: toPutKey(id),
    limits,
    evict: false,
    lifetimes: { '': { maxAge: 30 * DAY, evictable: true } },
    now,
  };
}

async function grant(sample: Sample): Promise<void> {
  const slot = reservation(any(sample.owners));
  if (!(await sample.ledger.reserve(slot)).granted) throw new Error('A slot was refused.');
  sample.slots.push(slot);
}

async function put(sample: Sample): Promise<void> {
  const slot = sample.slots.pop();
  if (slot === undefined) throw new Error('There are too few slots.');
  const { id, size } = slot.upload;
  const now = Date.now();
  await sample.ledger.claim({ by: { putKey: slot.putKey ?? '' }, token: id, instance: 'bench', now });
  if (!(await sample.ledger.commit({ id, token: id, blob: attemptBlobKey(slot.upload.blob, id), now, size })))
    throw new Error('A commit was lost.');
}

async function sweepOldest(sample: Sample): Promise<void> {
  const now = Date.now();
  const step = {
    kind: 'max_age',
    purpose: '',
    limit: SWEPT,
    maxAge: now - sample.sweptTo,
    now,
  } as const;
  const { count } = await sample.ledger.sweep(step);
  if (count !== SWEPT) throw new Error('There is nothing left to sweep.');
}

/** Returns the operation that reads one page of 50 entries, as the web page or its API does. */
const listed = (name: string, run: Operation['run']): Operation => ({
  name: `web: ${name}`,
  ...{ calls: 40, callers: 1 },
  run,
});

/** Returns the operation that reads one page of `listFiles`. */
const files = (name: string, query: Partial<FileQuery>, after?: (sample: Sample) => PageKey) =>
  listed(name, ({ ledger, ...sample }) =>
    ledger.listFiles({
      sort: 'newest',
      state: 'stored',
      limit: 50,
      ...query,
      ...(after && { after: after({ ledger, ...sample }) }),
    }),
  );

const ofUser: Partial<FileQuery> = { owners: [BUSY_USER] };
const ofSignedLinks: Partial<FileQuery> = { owners: [ANONYMOUS_OWNER] };
const middle = ({ locators }: Sample): PageKey => [any(locators)];
const end = ({ oldest }: Sample): PageKey => [any(oldest)];

const webOperations: readonly Operation[] = [
  files('all files, newest', {}),
  files('all, last page', {}, end),
  files('all, oldest', { sort: 'oldest' }),
  files('all, largest', { sort: 'largest' }),
  files('all, largest, later page', { sort: 'largest' }, () => [50_000_000, '0']),
  files('all, of a type', { type: 'video/' }),
  files('all, a type that is rare', { type: 'application/pdf' }),
  files('all, a name, in the middle', { text: 'no such name' }, middle),
  files('all, from a size on', { minSize: 90_000_000 }),
  files('all, not scanned', { isUnscanned: true }),
  files('open slots', { state: 'issued' }),
  listed('files of any user', ({ ledger, busy }) =>
    ledger.listFiles({ sort: 'newest', state: 'stored', limit: 50, owners: ownerNamesFor(any(busy)) }),
  ),
  ...(['newest', 'oldest', 'largest'] as const).map((sort) =>
    files(`one user with 1 %, ${sort}`, { ...ofUser, sort }),
  ),
  files('one user with 1 %, last page', ofUser, end),
  files('one user with 1 %, a name', { ...ofUser, text: 'no such name' }),
  files('signed links (10 %), newest', ofSignedLinks),
  files('signed links (10 %), last page', ofSignedLinks, end),
  files('signed links (10 %), largest', { ...ofSignedLinks, sort: 'largest' }),
  listed('a pasted link', ({ ledger, locators }) => ledger.find(any(locators))),
  listed('users by address', ({ ledger }) => ledger.listUsers({ sort: 'name', limit: 50 })),
  listed('users, a later page', ({ ledger, owners }) =>
    ledger.listUsers({ sort: 'name', limit: 50, after: [any(owners)] }),
  ),
  listed('users by storage', ({ ledger }) => ledger.listUsers({ sort: 'largest', limit: 50 })),
  listed('users by storage, last page', ({ ledger }) =>
    ledger.listUsers({ sort: 'largest', limit: 50, after: [100_000, 1] }),
  ),
];

const operations: readonly Operation[] = [
  { name: 'slot granted', calls: CALLS, callers: CALLERS, run: grant },
  { name: 'PUT: claim and commit', calls: CALLS, callers: CALLERS, run: put },
  {
    name: 'GET: any file',
    ...{ calls: CALLS * 4, callers: CALLERS },
    run: ({ ledger, locators }) => ledger.find(any(locators)),
  },
  {
    name: 'GET: one of the newest 5,000',
    ...{ calls: CALLS * 4, callers: CALLERS },
    run: ({ ledger, recent }) => ledger.find(any(recent)),
  },
  {
    name: 'quota of one user',
    calls: CALLS * 4,
    callers: CALLERS,
    run: ({ ledger, owners }) => ledger.usage(any(owners)),
  },
  {
    name: 'users: a page of 100',
    ...{ calls: 40, callers: 1 },
    run: ({ ledger, owners }) =>
      ledger.listOwners({ limit: 100, after: owners[Math.floor(Math.random() * owners.length * 0.8)] ?? '' }),
  },
  {
    name: 'newest file of one user',
    ...{ calls: 200, callers: 1 },
    run: ({ ledger, busy }) => ledger.listUploads({ owner: any(busy), newestFirst: true, limit: 1 }),
  },
  {
    name: 'newest files of all: 100',
    ...{ calls: 40, callers: 1 },
    run: ({ ledger }) => ledger.listUploads({ newestFirst: true, state: 'stored', limit: 100 }),
  },
  {
    name: 'newest files, later page',
    ...{ calls: 40, callers: 1 },
    run: ({ ledger, locators }) =>
      ledger.listUploads({ newestFirst: true, state: 'stored', after: any(locators), limit: 100 }),
  },
  {
    name: 'open slots: 100',
    ...{ calls: 400, callers: 1 },
    run: ({ ledger }) => ledger.listUploads({ newestFirst: true, state: 'issued', limit: 100 }),
  },
  {
    name: 'fsck: a page of 500',
    ...{ calls: 40, callers: 1 },
    run: ({ ledger, locators }) => ledger.listUploads({ state: 'stored', after: any(locators), limit: 500 }),
  },
  ...webOperations,
  { name: 'stats', calls: 1000, callers: 1, run: ({ ledger }) => ledger.stats() },
  { name: `sweep: a batch of ${SWEPT}`, calls: 1, callers: 1, run: sweepOldest },
];

async function openSample(name: string): Promise<Sample> {
  const ledger = name.startsWith('postgres:')
    ? await openPostgresLedger({ url: name, sync: true, connections: CALLERS })
    : await openSqliteLedger({ file: name, sync: true });
  const owners: string[] = [];
  for (let after: string | undefined; ; after = owners.at(-1)) {
    const page = await ledger.listOwners({ limit: 10_000, ...(after !== undefined && { after }) });
    owners.push(...page.map(({ owner }) => owner));
    if (page.length < 10_000) break;
  }
  const locators: string[] = [];
  const busy: string[] = [];
  while (locators.length < 20_000) {
    const page = await ledger.listUploads({
      after: timeOrderedId(Date.now() - Math.random() * 10 * DAY),
      limit: 50,
    });
    // Skips older rows, because the sweeps may remove them.
    const young = page.filter(({ createdAt }) => createdAt > Date.now() - 10 * DAY);
    locators.push(...young.map(({ locator }) => locator));
    busy.push(...young.map(({ owner }) => owner));
  }
  const newest = await ledger.listUploads({ newestFirst: true, state: 'stored', limit: 5000 });
  const recent = newest.map(({ locator }) => locator);
  const first = await ledger.listUploads({ state: 'stored', limit: 200 });
  const oldest = first.slice(100).map(({ id }) => id);
  return { ledger, owners, locators, recent, oldest, busy, slots: [], sweptTo: Date.now() };
}

/** Measures one turn; returns microseconds of wall time per call. */
async function turn(operation: Operation, sample: Sample): Promise<number> {
  let call = 0;
  const caller = async () => {
    while (call < operation.calls) await operation.run(sample, call++);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: operation.callers }, caller));
  return ((performance.now() - start) * 1000) / operation.calls;
}

async function compare(small: Sample, large: Sample, rounds: number, only: string): Promise<boolean> {
  const figures = new Map(
    operations.map(({ name }) => [name, { small: [] as number[], large: [] as number[] }]),
  );
  for (let round = 0; round <= rounds; round += 1) {
    for (const operation of operations) {
      if (!operation.name.includes(only)) continue;
      const first = round % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const);
      for (const which of first) {
        const figure = await turn(operation, which === 'small' ? small : large);
        // The first round warms up.
        if (round > 0) figures.get(operation.name)?.[which].push(figure);
      }
    }
  }
  let met = true;
  for (const [name, { small: few, large: many }] of figures) {
    if (few.length === 0) continue;
    const ratio = toSpread(many.map((figure, i) => figure / (few[i] ?? Number.NaN)));
    met &&= ratio.median <= BOUND;
    const line = [toSpread(few).median, toSpread(many).median].map((us) => us.toFixed(0).padStart(9));
    const range = `${ratio.median.toFixed(2)}  ${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`;
    console.log(
      `  ${name.padEnd(28)}${line.join('')}   ${range}${ratio.median <= BOUND ? '' : '   NOT MET'}`,
    );
  }
  return met;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    uploads: { type: 'string', default: '10000000' },
  },
});

/** Creates and fills two SQLite files for this run. */
async function createPair(folder: string): Promise<string[]> {
  const now = Date.now();
  const report = (text: string) => process.stderr.write(`\r${text} `);
  const [small, large] = [join(folder, 'small.db'), join(folder, 'large.db')];
  await fillLedger(small, { uploads: 10_000, owners: 100_000, now }, report);
  await fillLedger(large, { uploads: Number(values.uploads), owners: 100_000, now }, report);
  return [small, large];
}

async function comparePairs(databases: readonly string[]): Promise<boolean> {
  let met = true;
  for (let i = 0; i + 1 < databases.length; i += 2) {
    const [small = '', large = ''] = databases.slice(i);
    const engine = large.startsWith('postgres:') ? 'PostgreSQL' : 'SQLite';
    console.log(`${engine}: µs per call with few and with many uploads, their ratio and its range`);
    const opened = [await openSample(small), await openSample(large)] as const;
    met = (await compare(...opened, Number(values.rounds), values.only)) && met;
    for (const { ledger } of opened) await ledger.close();
  }
  return met;
}

const folder = await mkdtemp(join(tmpdir(), 'porter-bench-history-'));
try {
  const databases = positionals.length > 0 ? positionals : await createPair(folder);
  process.exitCode = (await comparePairs(databases)) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true });
}
