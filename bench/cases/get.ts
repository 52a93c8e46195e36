import type { BenchEnvironment } from '../environment.ts';
import { download, upload } from '../load/curl.ts';
import { type WrkRun, wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds, toCandidate } from '../rounds.ts';
import type { FileServer } from '../servers/file-server.ts';
import { ratioOf } from '../statistics.ts';
import type { Case, Row, Target } from './case.ts';
import { bodyFile, CONNECTIONS, LARGE, SMALL, storeFiles } from './files.ts';

export const getSmall: Case = {
  name: 'get-small',
  title: `10 KB GET, one file, ${CONNECTIONS} connections`,
  needs: ['wrk'],
  async measure(environment) {
    const filer = await environment.filer();
    const peers = await environment.peers('nginx', 'ejabberd', 'prosody');
    const rows = await measureRounds(
      environment,
      await smallReaders(environment, [await environment.porter(), ...filer, ...peers], 1),
    );
    return filer.length > 0
      ? { unit: 'requests/s', rows, targets: filerTarget(rows, 'prosody-filer', 1) }
      : {
          unit: 'requests/s',
          rows,
          targets: filerTarget(rows, 'nginx', FILER / NGINX_BESIDE_FILER),
          notes: FILER_NOTE,
        };
  },
};

export const getMany: Case = {
  name: 'get-many',
  title: `10 KB GET, 1,000 files in turn, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    const servers = [await environment.porter(), await environment.nginx()];
    return {
      unit: 'requests/s',
      rows: await measureRounds(environment, await smallReaders(environment, servers, 1000)),
    };
  },
};

export const getLarge: Case = {
  name: 'get-large',
  title: '200 MB GET, one connection',
  needs: ['curl', 'nginx'],
  async measure(environment) {
    const servers = [await environment.porter(), await environment.nginx()];
    const readers: Candidate[] = [];
    for (const server of servers) readers.push(await largeReader(environment, server));
    return { unit: 'MB/s', rows: await measureRounds(environment, readers) };
  },
};

/** Returns one candidate per server. Each reads `files` files of `size` bytes in turn. */
export async function smallReaders(
  environment: BenchEnvironment,
  servers: readonly FileServer[],
  files: number,
  size = SMALL,
): Promise<Candidate[]> {
  const readers: Candidate[] = [];
  for (const server of servers) {
    const paths = await storeFiles(server, files, size);
    readers.push({ ...toCandidate(server), run: () => readFiles(environment, server, paths) });
  }
  return readers;
}

/** Reads files in turn with wrk. */
export function readFiles(
  { options, folders }: BenchEnvironment,
  { url }: FileServer,
  paths: readonly string[],
  pauseMs = 0,
): Promise<WrkRun> {
  return wrk({
    url,
    connections: CONNECTIONS,
    seconds: options.seconds,
    requests: paths.map((path) => ({ path })),
    status: 200,
    folder: folders.folder,
    pauseMs,
  });
}

/** Returns a candidate that reads one large file repeatedly. */
export async function largeReader(environment: BenchEnvironment, server: FileServer): Promise<Candidate> {
  const [slot] = await server.slots(1, LARGE);
  if (!slot) throw new Error(`${server.name} gave no slot`);
  await upload(server, [slot], await bodyFile(environment, LARGE));
  const urls = Array.from({ length: environment.options.seconds * 2 }, () => server.url + slot.getPath);
  return { ...toCandidate(server), run: () => download(urls) };
}

/** Requests/s of prosody-filer and nginx, measured together on one machine. For runs without `FILER`. */
const FILER = 26_000;
const NGINX_BESIDE_FILER = 84_000;
const WANTED = 1.6;

const FILER_NOTE = [
  `prosody-filer is not part of this run (FILER=path adds it). On another machine it reached ${FILER.toLocaleString('en')}/s, and nginx ` +
    `${NGINX_BESIDE_FILER.toLocaleString('en')}/s.`,
  `"prosody-filer, implied" is the same share of the figure of nginx in the same round of this run, with files of ${SMALL} bytes.`,
];

/** Returns the target, or none if `peer` was not measured. `share`: the speed of prosody-filer divided by that of `peer`. */
function filerTarget(rows: readonly Row[], peer: string, share: number): Target[] {
  const porter = rows.find(({ name }) => name === 'Porter')?.figures ?? [];
  const measured = rows.find(({ name }) => name === peer)?.figures;
  if (!measured) return [];
  const filer = measured.map((figure) => figure * share);
  const { median } = ratioOf(porter, filer);
  return [
    {
      text: `10 KB GET at least ${WANTED} times prosody-filer${share === 1 ? '' : ', implied'}`,
      measured: `${median.toFixed(2)} times`,
      met: median >= WANTED,
    },
  ];
}
