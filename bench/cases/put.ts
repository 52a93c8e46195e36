import { glob, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchEnvironment } from '../environment.ts';
import { upload } from '../load/curl.ts';
import { wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds, type Run, toCandidate } from '../rounds.ts';
import type { FileServer, UploadSlot } from '../servers/file-server.ts';
import { DISCARD_PATH } from '../servers/nginx.ts';
import { ratioOf } from '../statistics.ts';
import type { Case, Row, Target } from './case.ts';
import { bodyFile, CONNECTIONS, LARGE, SMALL } from './files.ts';

export const putSmall: Case = {
  name: 'put-small',
  title: `10 KB PUT, each to a slot of its own, ${CONNECTIONS} connections`,
  needs: ['wrk'],
  async measure(world) {
    const isPorter = [await world.porter(), await world.durablePorter()];
    const servers = [...isPorter, ...(await world.peers('nginx', 'ejabberd', 'prosody'))];
    const rows = await measureRounds(
      world,
      servers.map((server) => smallWriter(world, server)),
    );
    return { unit: 'requests/s', rows, notes: [...SYNC_NOTE, ...(await ceilingNote(world, servers))] };
  },
};

export const putLarge: Case = {
  name: 'put-large',
  title: '200 MB PUT, one connection',
  needs: ['curl', 'nginx'],
  async measure(world) {
    const servers = [await world.porter(), await world.durablePorter(), await world.nginx()];
    const file = await bodyFile(world, LARGE);
    const rows = await measureRounds(
      world,
      servers.map((server) => largeWriter(world, server, file)),
    );
    return { unit: 'MB/s', rows, targets: nginxTarget(rows), notes: SYNC_NOTE };
  },
};

const SYNC_NOTE = [
  'No peer waits for the disk, so the fair comparison is with sync: false; sync: true answers 201 only when the',
  'file and its row would survive a power cut.',
];

/** PUTs a second, roughly: how many slots a run of so many seconds needs. */
const PACE: Readonly<Record<string, number>> = { nginx: 20_000, ejabberd: 2500, Prosody: 400 };
const OUR_PACE = 6000;
/** The last ones are still under way when all that count are answered. */
const SPARE = 2 * CONNECTIONS;

function smallWriter(world: BenchEnvironment, server: FileServer): Candidate {
  const pace = PACE[server.name] ?? OUR_PACE;
  const count = Math.round((pace * world.options.seconds) / 2);
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(count + SPARE, SMALL);
    },
    run: () => putEach(world, server.url, slots, count),
  };
}

async function putEach(
  world: BenchEnvironment,
  url: string,
  slots: readonly Pick<UploadSlot, 'putPath' | 'headers'>[],
  count: number,
): Promise<Run> {
  return wrk({
    url,
    method: 'PUT',
    connections: CONNECTIONS,
    seconds: 300,
    requests: slots.map(({ putPath, headers }) => ({ path: putPath, headers })),
    count,
    bodyFile: await bodyFile(world, SMALL),
    status: 201,
    folder: world.folders.folder,
  });
}

/** How fast wrk is where nobody stores anything: near that, a figure tells of wrk and not of the server. */
async function ceilingNote(world: BenchEnvironment, servers: readonly FileServer[]): Promise<string[]> {
  const nginx = servers.find(({ name }) => name === 'nginx');
  if (!nginx) return [];
  const count = 20_000 * world.options.seconds;
  const nowhere = Array.from({ length: count + SPARE }, () => ({ putPath: DISCARD_PATH, headers: {} }));
  const { done, seconds } = await putEach(world, nginx.url, nowhere, count);
  const perSecond = Math.round(done / seconds).toLocaleString('en');
  return [`wrk's own ceiling: ${perSecond} PUTs a second, to an nginx that reads them and throws them away.`];
}

function largeWriter(world: BenchEnvironment, server: FileServer, file: string): Candidate {
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(world.options.seconds * 2, LARGE);
    },
    run: () => upload(server, slots, file),
    cleanUp: () => dropLarge(server.files),
  };
}

/** All rounds together would fill the memory. */
async function dropLarge(folder: string): Promise<void> {
  for await (const name of glob('*/*', { cwd: folder })) {
    const path = join(folder, name);
    if ((await stat(path)).size >= LARGE) await rm(path);
  }
}

function nginxTarget(rows: readonly Row[]): Target[] {
  const isPorter = rows.find(({ name }) => name === 'Porter')?.figures ?? [];
  const nginx = rows.find(({ name }) => name === 'nginx')?.figures ?? [];
  const { median } = ratioOf(isPorter, nginx);
  return [
    {
      text: "200 MB PUT at least as fast as nginx's",
      measured: `${median.toFixed(2)} times`,
      met: median >= 1,
    },
  ];
}
