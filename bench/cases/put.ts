import { glob, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchEnvironment } from '../environment.ts';
import { upload } from '../load/curl.ts';
import { signedSlots } from '../load/signed-slots.ts';
import { wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds, type Run, toCandidate } from '../rounds.ts';
import type { FileServer, UploadSlot } from '../servers/file-server.ts';
import { DISCARD_PATH } from '../servers/nginx.ts';
import { ratioOf } from '../statistics.ts';
import type { Case, Row, Target } from './case.ts';
import { bodyFile, CONNECTIONS, LARGE, SMALL } from './files.ts';

export const putSmall: Case = {
  name: 'put-small',
  title: `10 KB PUT, each to a separate slot, ${CONNECTIONS} connections`,
  needs: ['wrk'],
  async measure(environment) {
    const porters = [await environment.porter(), await environment.durablePorter()];
    const servers = [...porters, ...(await environment.peers('nginx', 'ejabberd', 'prosody'))];
    const rows = await measureRounds(
      environment,
      servers.map((server) => smallWriter(environment, server)),
    );
    return { unit: 'requests/s', rows, notes: [...SYNC_NOTE, ...(await ceilingNote(environment, servers))] };
  },
};

export const putSigned: Case = {
  name: 'put-signed',
  title: `10 KB PUT to signed links, ${CONNECTIONS} connections`,
  needs: ['wrk'],
  async measure(environment) {
    const porters = [await environment.porter(), await environment.durablePorter()];
    const signing = porters.map((server) => ({
      ...server,
      slots: async (...order: SlotOrder) => signedSlots(...order),
    }));
    const servers = [...signing, ...(await environment.filer()), ...(await environment.peers('nginx'))];
    const rows = await measureRounds(
      environment,
      servers.map((server) => smallWriter(environment, server)),
    );
    return { unit: 'requests/s', rows, notes: SYNC_NOTE };
  },
};

export const putLarge: Case = {
  name: 'put-large',
  title: '200 MB PUT, one connection',
  needs: ['curl', 'nginx'],
  async measure(environment) {
    const servers = [
      await environment.porter(),
      await environment.durablePorter(),
      await environment.nginx(),
    ];
    const file = await bodyFile(environment, LARGE);
    const rows = await measureRounds(
      environment,
      servers.map((server) => largeWriter(environment, server, file)),
    );
    return { unit: 'MB/s', rows, targets: nginxTarget(rows), notes: SYNC_NOTE };
  },
};

const SYNC_NOTE = [
  'No peer flushes to disk, so sync: false is the fair comparison; with sync: true Porter answers 201 only once the',
  'file and its row would survive a power loss.',
];

/** Approximate PUTs per second, for the number of slots per run. */
type SlotOrder = Parameters<typeof signedSlots>;

const PACE: Readonly<Record<string, number>> = {
  nginx: 20_000,
  'prosody-filer': 12_000,
  ejabberd: 2500,
  Prosody: 400,
};
const PORTER_PACE = 6000;
/** Requests still in progress when the counted ones are answered. */
const SPARE = 2 * CONNECTIONS;

function smallWriter(environment: BenchEnvironment, server: FileServer): Candidate {
  const pace = PACE[server.name] ?? PORTER_PACE;
  const count = Math.round((pace * environment.options.seconds) / 2);
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(count + SPARE, SMALL);
    },
    run: () => putEach(environment, server.url, slots, count),
  };
}

async function putEach(
  environment: BenchEnvironment,
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
    bodyFile: await bodyFile(environment, SMALL),
    status: 201,
    folder: environment.folders.folder,
  });
}

/** Measures wrk against a server that stores nothing. Figures near this ceiling are limited by wrk. */
async function ceilingNote(environment: BenchEnvironment, servers: readonly FileServer[]): Promise<string[]> {
  const nginx = servers.find(({ name }) => name === 'nginx');
  if (!nginx) return [];
  const count = 20_000 * environment.options.seconds;
  const nowhere = Array.from({ length: count + SPARE }, () => ({ putPath: DISCARD_PATH, headers: {} }));
  const { done, seconds } = await putEach(environment, nginx.url, nowhere, count);
  const perSecond = Math.round(done / seconds).toLocaleString('en');
  return [`The ceiling of wrk: ${perSecond} PUTs per second, to an nginx that reads and discards them.`];
}

function largeWriter(environment: BenchEnvironment, server: FileServer, file: string): Candidate {
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(environment.options.seconds * 2, LARGE);
    },
    run: () => upload(server, slots, file),
    cleanUp: () => dropLarge(server.files),
  };
}

/** Removes large files, because those of all rounds would fill the memory. */
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
