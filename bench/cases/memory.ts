import { glob } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchEnvironment } from '../environment.ts';
import { upload } from '../load/curl.ts';
import { SlowDownloads } from '../load/slow-downloads.ts';
import { SlowUploads } from '../load/slow-uploads.ts';
import { readMemory } from '../processes.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { Case, Outcome, Row, Target } from './case.ts';
import { bodyFile } from './files.ts';

const SIZE = 100_000_000;
const UPLOADS = 500;
const DOWNLOADS = 200;
/** Bytes per second of each slow transfer. */
const SPEED = 500_000;
/** The uploads stop after this many bytes in total, because all of them would fill the memory of a small machine. */
const ROOM = 5_000_000_000;
/** The number of uploads that are completed. */
const FINISHED = 10;
const BOUND = 200_000_000;

export const memoryUploads: Case = {
  name: 'memory-uploads',
  title: `Memory with ${UPLOADS} uploads of 100 MB at once`,
  needs: [],
  async measure(environment) {
    const porter = await environment.freshPorter('Porter with uploads');
    const started = row('after its start', (await readMemory(porter.pid)).peak);
    const slots = await porter.slots(UPLOADS, SIZE);
    const slotted = row(`with ${UPLOADS} slots`, (await readMemory(porter.pid)).peak);
    const uploads = await SlowUploads.start(porter.url, slots, SIZE);
    try {
      const rows = await slowThenFast(environment, porter, uploads);
      const note = await endAll(porter, uploads);
      return await outcome(porter, [started, slotted, ...rows], `${UPLOADS} uploads of 100 MB`, [note]);
    } finally {
      uploads.abort();
    }
  },
};

async function slowThenFast(
  { options: { seconds } }: BenchEnvironment,
  porter: FileServer,
  uploads: SlowUploads,
): Promise<Row[]> {
  uploads.speed = SPEED;
  const slow = await watch(porter, seconds * 2);
  requireAll(uploads.underWay, UPLOADS);
  uploads.speed = Number.MAX_SAFE_INTEGER;
  const fast = await watch(porter, seconds, () => uploads.sent < ROOM);
  requireAll(uploads.underWay, UPLOADS);
  return [
    row(`${UPLOADS} uploads, 0.5 MB/s each`, slow),
    row(`${UPLOADS} uploads, as fast as possible`, fast),
  ];
}

/** Completes some uploads while the others continue slowly, then aborts the others. Returns a note on the result. */
async function endAll(porter: FileServer, uploads: SlowUploads): Promise<string> {
  uploads.speed = SPEED / 50;
  const { sent } = uploads;
  const statuses = await uploads.finish(FINISHED);
  const stored = statuses.filter((status) => status === 201).length;
  uploads.abort();
  const left = await filesLeft(porter, stored);
  return (
    `${Math.round(sent / 1e6).toLocaleString('en')} MB had arrived when ${FINISHED} were completed ` +
    `(${stored} stored) and the others aborted (${left - stored} files of them left behind).`
  );
}

export const memoryDownloads: Case = {
  name: 'memory-downloads',
  title: `Memory with ${DOWNLOADS} slow downloads of 100 MB at once`,
  needs: ['curl'],
  async measure(environment) {
    const porter = await environment.freshPorter('Porter with downloads');
    const url = porter.url + (await storeOne(environment, porter));
    const stored = row('after one upload', (await readMemory(porter.pid)).peak);
    const downloads = await SlowDownloads.start(url, DOWNLOADS, SPEED);
    try {
      const slow = await watch(porter, environment.options.seconds * 2);
      requireAll(downloads.underWay, DOWNLOADS);
      const rows = [stored, row(`${DOWNLOADS} downloads, 0.5 MB/s each`, slow)];
      return await outcome(porter, rows, `${DOWNLOADS} slow downloads`);
    } finally {
      downloads.abort();
    }
  },
};

async function storeOne(environment: BenchEnvironment, porter: FileServer): Promise<string> {
  const [slot] = await porter.slots(1, SIZE);
  if (!slot) throw new Error('no slot');
  await upload(porter, [slot], await bodyFile(environment, SIZE));
  return slot.getPath;
}

/** Returns the peak memory within `seconds`, or until `goOn` returns false. */
async function watch({ pid }: FileServer, seconds: number, goOn = () => true): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let most = 0;
  while (performance.now() < end && goOn()) {
    most = Math.max(most, (await readMemory(pid)).now);
    await sleep(20);
  }
  return most;
}

function requireAll(underWay: number, wanted: number): void {
  if (underWay !== wanted) throw new Error(`only ${underWay} of ${wanted} transfers were still in progress`);
}

/** Counts the files of these uploads, after at most five seconds for their removal. */
async function filesLeft({ files }: FileServer, wanted: number): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const all = await Array.fromAsync(glob('*/*', { cwd: files }));
    // One file comes from checking the answers.
    const left = all.length - 1;
    if (left <= wanted || tries === 50) return left;
    await sleep(100);
  }
}

const row = (name: string, bytes: number): Row => ({ name, isPorter: true, figures: [bytes / 1e6] });

async function outcome(
  { pid }: FileServer,
  rows: readonly Row[],
  what: string,
  notes: readonly string[] = [],
): Promise<Outcome> {
  const { peak } = await readMemory(pid);
  const target: Target = {
    text: `memory below 200 MB with ${what}`,
    measured: `${Math.round(peak / 1e6)} MB`,
    met: peak < BOUND,
  };
  return { unit: 'MB', rows: [...rows, row('peak', peak)], targets: [target], notes };
}
