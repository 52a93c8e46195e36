import { glob } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { upload } from '../load/curl.ts';
import { SlowDownloads } from '../load/slow-downloads.ts';
import { SlowUploads } from '../load/slow-uploads.ts';
import { memoryOf } from '../process.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { World } from '../world.ts';
import type { Case, Outcome, Row, Target } from './case.ts';
import { bodyFile } from './files.ts';

const SIZE = 100_000_000;
const UPLOADS = 500;
const DOWNLOADS = 200;
/** Of the uploads, so many go to their end; all would fill the memory of a small machine. */
const FINISHED = 10;
const BOUND = 200_000_000;
const SPEED = 500_000;

export const memoryUploads: Case = {
  name: 'memory-uploads',
  title: `Memory with ${UPLOADS} uploads of 100 MB under way at once`,
  needs: [],
  async measure(world) {
    const porter = await world.freshPorter('Porter with uploads');
    const before = await memoryOf(porter.pid);
    const slots = await porter.slots(UPLOADS, SIZE);
    const slotted = await memoryOf(porter.pid);
    const uploads = await SlowUploads.start(porter.url, slots, SIZE);
    const { seconds } = world.options;
    try {
      uploads.speed = SPEED;
      const slow = await watch(porter, seconds * 2);
      requireAll(uploads.underWay, UPLOADS);
      // As fast as it goes, but only so long that the bytes fit.
      uploads.speed = Number.MAX_SAFE_INTEGER;
      const fast = await watch(porter, seconds, () => uploads.sent < ROOM);
      requireAll(uploads.underWay, UPLOADS);
      uploads.speed = SPEED / 50;
      const sent = uploads.sent;
      const statuses = await uploads.finish(FINISHED);
      const stored = statuses.filter((status) => status === 201).length;
      uploads.abort();
      const left = await filesLeft(porter, FINISHED);
      return outcome(
        await memoryOf(porter.pid),
        [
          row('after its start', before.peak),
          row(`with ${UPLOADS} slots`, slotted.peak),
          row(`${UPLOADS} uploads, 0.5 MB/s each`, slow),
          row(`${UPLOADS} uploads, as fast as it goes`, fast),
        ],
        `${UPLOADS} uploads of 100 MB`,
        [
          `${Math.round(sent / 1e6).toLocaleString('en')} MB had come when ${FINISHED} were sent to their end ` +
            `(${stored} stored) and the others broken off (${left - stored} files of them left behind).`,
        ],
      );
    } finally {
      uploads.abort();
    }
  },
};

/** Bytes that all uploads together may send. */
const ROOM = 5_000_000_000;

export const memoryDownloads: Case = {
  name: 'memory-downloads',
  title: `Memory with ${DOWNLOADS} slow downloads of 100 MB at once`,
  needs: ['curl'],
  async measure(world) {
    const porter = await world.freshPorter('Porter with downloads');
    const url = porter.url + (await storeOne(world, porter));
    const before = await memoryOf(porter.pid);
    const downloads = await SlowDownloads.start(url, DOWNLOADS, SPEED);
    try {
      const slow = await watch(porter, world.options.seconds * 2);
      requireAll(downloads.underWay, DOWNLOADS);
      return outcome(
        await memoryOf(porter.pid),
        [row('after one upload', before.peak), row(`${DOWNLOADS} downloads, 0.5 MB/s each`, slow)],
        `${DOWNLOADS} slow downloads`,
        [],
      );
    } finally {
      downloads.abort();
    }
  },
};

async function storeOne(world: World, porter: FileServer): Promise<string> {
  const [slot] = await porter.slots(1, SIZE);
  if (!slot) throw new Error('no slot');
  await upload(porter.url, [slot], await bodyFile(world, SIZE));
  return slot.getPath;
}

/** The most memory that is seen within so many seconds, or until `goOn` says no. */
async function watch({ pid }: FileServer, seconds: number, goOn = () => true): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let most = 0;
  while (performance.now() < end && goOn()) {
    most = Math.max(most, (await memoryOf(pid)).now);
    await sleep(20);
  }
  return most;
}

function requireAll(underWay: number, wanted: number): void {
  if (underWay !== wanted) throw new Error(`only ${underWay} of ${wanted} transfers were still under way`);
}

/** Broken-off uploads are cleaned up after within moments. */
async function filesLeft({ files }: FileServer, wanted: number): Promise<number> {
  let left = 0;
  for (let looks = 0; looks < 50; looks += 1) {
    left = (await Array.fromAsync(glob('*/*', { cwd: files }))).length;
    // One more is there from checking the answers.
    if (left <= wanted + 1) break;
    await sleep(100);
  }
  return left - 1;
}

const row = (name: string, bytes: number): Row => ({ name, ours: true, figures: [bytes / 1e6] });

function outcome(
  end: { peak: number },
  rows: readonly Row[],
  what: string,
  notes: readonly string[],
): Outcome {
  const peak = Math.max(
    end.peak,
    ...rows.flatMap(({ figures }) => figures).map((megabytes) => megabytes * 1e6),
  );
  const target: Target = {
    text: `memory below 200 MB with ${what}`,
    reached: `${Math.round(peak / 1e6)} MB`,
    met: peak < BOUND,
  };
  return { unit: 'MB', rows: [...rows, row('the most at any time', peak)], targets: [target], notes };
}
