/**
 * Do costs grow with history? Every operation of the ledger at ten thousand and at ten million uploads, in turns:
 * `npm run bench:history -- [--rounds N] [--only WORD] [--uploads N] [SMALL LARGE]…`. Places are files of SQLite or
 * `postgres://…` that `bench/fill.ts` has filled; without any, two files are filled for the run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { timeOrderedId, toPutKey } from '../src/base/ids.ts';
import type { Ledger, Reservation } from '../src/ledger/contract/ledger.ts';
import { openPostgresLedger } from '../src/ledger/postgres/open.ts';
import { openSqliteLedger } from '../src/ledger/sqlite/open.ts';
import { blobKey } from '../src/uploads/links.ts';
import { DAY, fillLedger } from './fill.ts';
import { limits } from './reservation.ts';
import { toSpread } from './statistics.ts';

/** What was promised: with a thousand times the history nothing costs more than this many times as much. */
const BOUND = 1.5;
const CALLERS = 16;
/** Calls of each kind in one turn. */
const CALLS = 1600;
const SWEPT = 500;

/** A ledger with its history, and what a turn needs to know of it. */
interface Place {
  readonly ledger: Ledger;
  readonly owners: readonly string[];
  readonly locators: readonly string[];
  /** Of the last 5,000 files. */
  readonly recent: readonly string[];
  /** Owners of the files above. */
  readonly busy: readonly string[];
  /** Slots that the turn of `grant` has left for that of `commit`. */
  slots: Reservation[];
  /** The moment up to which the next sweep batch reaches. */
  sweptTo: number;
}

/** `run` is called so many times in a turn, by so many callers at once. */
interface Operation {
  readonly name: string;
  readonly calls: number;
  readonly callers: number;
  prepare?(place: Place): Promise<void>;
  run(place: Place, call: number): Promise<unknown>;
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

async function grant(place: Place): Promise<void> {
  const slot = reservation(any(place.owners));
  if (!(await place.ledger.reserve(slot)).granted) throw new Error('A slot was refused.');
  place.slots.push(slot);
}

async function put(place: Place): Promise<void> {
  const slot = place.slots.pop();
  if (slot === undefined) throw new Error('There are too few slots.');
  const { id, size } = slot.upload;
  const now = Date.now();
  await place.ledger.claim({ by: { putKey: slot.putKey ?? '' }, token: id, instance: 'bench', now });
  if (!(await place.ledger.commit({ id, token: id, now, size }))) throw new Error('A commit was lost.');
}

async function sweepOldest(place: Place): Promise<void> {
  const step = {
    kind: 'max_age',
    purpose: '',
    detail: 'older than 30d',
    limit: SWEPT,
    now: Date.now(),
  } as const;
  const { count } = await place.ledger.sweep({ ...step, storedBefore: place.sweptTo });
  if (count !== SWEPT) throw new Error('There is nothing left to sweep.');
}

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
    name: 'slots that wait: 100',
    ...{ calls: 400, callers: 1 },
    run: ({ ledger }) => ledger.listUploads({ newestFirst: true, state: 'issued', limit: 100 }),
  },
  {
    name: 'fsck: a page of 500',
    ...{ calls: 40, callers: 1 },
    run: ({ ledger, locators }) => ledger.listUploads({ state: 'stored', after: any(locators), limit: 500 }),
  },
  { name: 'stats', calls: 1000, callers: 1, run: ({ ledger }) => ledger.stats() },
  { name: `sweep: a batch of ${SWEPT}`, calls: 1, callers: 1, run: sweepOldest },
];

async function openPlace(name: string): Promise<Place> {
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
    // Those that no sweep of a turn reaches.
    const young = page.filter(({ createdAt }) => createdAt > Date.now() - 10 * DAY);
    locators.push(...young.map(({ locator }) => locator));
    busy.push(...young.map(({ owner }) => owner));
  }
  const newest = await ledger.listUploads({ newestFirst: true, state: 'stored', limit: 5000 });
  const recent = newest.map(({ locator }) => locator);
  return { ledger, owners, locators, recent, busy, slots: [], sweptTo: Date.now() };
}

/** Microseconds of wall time for each call. */
async function turn(operation: Operation, place: Place): Promise<number> {
  await operation.prepare?.(place);
  let call = 0;
  const caller = async () => {
    while (call < operation.calls) await operation.run(place, call++);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: operation.callers }, caller));
  return ((performance.now() - start) * 1000) / operation.calls;
}

async function compare(small: Place, large: Place, rounds: number, only: string): Promise<boolean> {
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

/** Two files of SQLite, filled for this run. */
async function ownPair(folder: string): Promise<string[]> {
  const now = Date.now();
  const told = (text: string) => process.stderr.write(`\r${text} `);
  const [small, large] = [join(folder, 'small.db'), join(folder, 'large.db')];
  await fillLedger(small, { uploads: 10_000, owners: 100_000, now }, told);
  await fillLedger(large, { uploads: Number(values.uploads), owners: 100_000, now }, told);
  return [small, large];
}

async function comparePairs(places: readonly string[]): Promise<boolean> {
  let met = true;
  for (let i = 0; i + 1 < places.length; i += 2) {
    const [small = '', large = ''] = places.slice(i);
    const engine = large.startsWith('postgres:') ? 'PostgreSQL' : 'SQLite';
    console.log(`${engine}: µs a call, few and many, their ratio, its range`);
    const opened = [await openPlace(small), await openPlace(large)] as const;
    met = (await compare(...opened, Number(values.rounds), values.only)) && met;
    for (const { ledger } of opened) await ledger.close();
  }
  return met;
}

const folder = await mkdtemp(join(tmpdir(), 'porter-bench-history-'));
try {
  const places = positionals.length > 0 ? positionals : await ownPair(folder);
  process.exitCode = (await comparePairs(places)) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true });
}
