import { glob, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchEnvironment } from '../environment.ts';
import { upload } from '../load/curl.ts';
import { signedSlots } from '../load/signed-slots.ts';
import { type WrkRun, wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds, toCandidate } from '../rounds.ts';
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
    const servers = [
      ...porters.map(withSignedLinks),
      ...(await environment.filer()),
      ...(await environment.peers('nginx')),
    ];
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

/** Returns the server with signed links instead of slots. */
export const withSignedLinks = (server: FileServer): FileServer => ({
  ...server,
  slots: async (count, size) => signedSlots(count, size),
});

const SYNC_NOTE = [
  'No peer flushes to disk, so sync: false is the fair comparison. With sync: true, Porter answers 201 only after it has',
  'flushed the file and its row to disk, so that both survive a power loss.',
];

/** Approximate PUTs per second, for the number of slots per run. */
const PACE: Readonly<Record<string, number>> = {
  nginx: 20_000,
  'prosody-filer': 12_000,
  ejabberd: 2500,
  Prosody: 400,
};
const PORTER_PACE = 6000;
/** The number of extra requests: some are still in progress when all counted requests are answered. */
export const SPARE = 2 * CONNECTIONS;

/** Bytes. Above this size, the bytes limit the rate of PUTs, not the number of requests. */
const SMALL_ENOUGH = 50_000;

/** Returns a candidate that writes files of `size` bytes, each to a separate slot. */
export function smallWriter(environment: BenchEnvironment, server: FileServer, size = SMALL): Candidate {
  const pace = (PACE[server.name] ?? PORTER_PACE) * Math.min(1, SMALL_ENOUGH / size);
  const count = Math.round((pace * environment.options.seconds) / 2);
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(count + SPARE, size);
    },
    run: () => putEach(environment, server, slots, { count, size }),
    ...(size > SMALL && { cleanUp: () => removeFiles(server.files, size) }),
  };
}

interface PutOrder {
  /** The number of PUTs to time. There must be more slots than this. */
  readonly count: number;
  /** Bytes of each file. */
  readonly size: number;
  readonly pauseMs?: number;
}

/** Sends a file of `size` bytes to each slot with wrk. */
export async function putEach(
  environment: BenchEnvironment,
  { url, putStatus = 201 }: Pick<FileServer, 'url' | 'putStatus'>,
  slots: readonly Pick<UploadSlot, 'putPath' | 'headers'>[],
  { count, size, pauseMs = 0 }: PutOrder,
): Promise<WrkRun> {
  return wrk({
    url,
    method: 'PUT',
    connections: CONNECTIONS,
    seconds: 300,
    requests: slots.map(({ putPath, headers }) => ({ path: putPath, headers })),
    count,
    bodyFile: await bodyFile(environment, size),
    status: putStatus,
    pauseMs,
    folder: environment.folders.folder,
  });
}

/** Measures wrk with a server that stores nothing. Figures near this maximum are limited by wrk. */
async function ceilingNote(environment: BenchEnvironment, servers: readonly FileServer[]): Promise<string[]> {
  const nginx = servers.find(({ name }) => name === 'nginx');
  if (!nginx) return [];
  const count = 20_000 * environment.options.seconds;
  const nowhere = Array.from({ length: count + SPARE }, () => ({ putPath: DISCARD_PATH, headers: {} }));
  const { done, seconds } = await putEach(environment, nginx, nowhere, { count, size: SMALL });
  const perSecond = Math.round(done / seconds).toLocaleString('en');
  return [`The maximum of wrk: ${perSecond} PUTs per second to an nginx that reads and discards the files.`];
}

/** Returns a candidate that writes large files, one after the other. */
export function largeWriter(environment: BenchEnvironment, server: FileServer, file: string): Candidate {
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(environment.options.seconds * 2, LARGE);
    },
    run: () => upload(server, slots, file),
    cleanUp: () => removeFiles(server.files, LARGE),
  };
}

/** Removes files of at least `size` bytes, because those of all rounds would fill the memory. */
async function removeFiles(folder: string, size: number): Promise<void> {
  for await (const name of glob('*/*', { cwd: folder })) {
    const path = join(folder, name);
    if ((await stat(path)).size >= size) await rm(path);
  }
}

function nginxTarget(rows: readonly Row[]): Target[] {
  const porter = rows.find(({ name }) => name === 'Porter')?.figures ?? [];
  const nginx = rows.find(({ name }) => name === 'nginx')?.figures ?? [];
  const { median } = ratioOf(porter, nginx);
  return [
    {
      text: '200 MB PUT at least as fast as nginx',
      measured: `${median.toFixed(2)} times`,
      met: median >= 1,
    },
  ];
}
