import type { PeerName } from '../../test/real/peers/peers.ts';
import type { BenchEnvironment } from '../environment.ts';
import { upload } from '../load/curl.ts';
import { wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds, type Run, toCandidate } from '../rounds.ts';
import type { FileServer, UploadSlot } from '../servers/file-server.ts';
import { withS3 } from '../servers/s3.ts';
import type { Case } from './case.ts';
import { bodyFile, LARGE, SMALL, storeFiles } from './files.ts';
import { largeReader } from './get.ts';

interface Load {
  /** Bytes of each file. */
  readonly size: number;
  readonly connections: number;
  /** The number of files of a run that stores or reads each file once. */
  readonly count: number;
  /** The units per file: 1 for requests/s, the megabytes of a file for MB/s. */
  readonly perFile: number;
}

const MIDDLE = 1_000_000;
const small: Load = { size: SMALL, connections: 32, count: 1200, perFile: 1 };
const middle: Load = { size: MIDDLE, connections: 8, count: 48, perFile: MIDDLE / 1e6 };

/** The S3 server keeps all files in memory and needs 1.5 times their bytes. Each round stores two files of 200 MB. */
const MOST_ROUNDS = 4;

type Enter = (environment: BenchEnvironment, server: FileServer) => Candidate | Promise<Candidate>;

export const s3Cases: readonly Case[] = [
  beside('10k-put', '10 KB PUT, 32 connections', 'wrk', 'requests/s', (environment, server) =>
    writer(environment, server, small),
  ),
  beside('10k-get', '10 KB GET, each file once, 32 connections', 'wrk', 'requests/s', (environment, server) =>
    firstReader(environment, server, small),
  ),
  beside(
    '10k-get-again',
    '10 KB GET, 100 files in turn, 32 connections',
    'wrk',
    'requests/s',
    (environment, server) => reader(environment, server, small, 100),
  ),
  beside('1m-put', '1 MB PUT, 8 connections', 'wrk', 'MB/s', (environment, server) =>
    writer(environment, server, middle),
  ),
  beside('1m-get', '1 MB GET, 32 files in turn, 8 connections', 'wrk', 'MB/s', (environment, server) =>
    reader(environment, server, middle, 32),
  ),
  beside('200m-put', '200 MB PUT, one connection', 'curl', 'MB/s', largeWriter),
  beside('200m-get', '200 MB GET, one connection', 'curl', 'MB/s', largeReader),
];

function beside(name: string, title: string, sender: PeerName, unit: string, enter: Enter): Case {
  return {
    name: `s3-${name}`,
    title: `${title}, through Porter on S3 and directly to the same S3`,
    needs: ['ceph', sender],
    measure: (environment) =>
      withS3(environment, async (servers) => {
        const candidates: Candidate[] = [];
        for (const server of servers) candidates.push(await enter(environment, server));
        const rounds = Math.min(environment.options.rounds, MOST_ROUNDS);
        return { unit, rows: await measureRounds(environment, candidates, rounds), notes: NOTES };
      }),
  };
}

const NOTES = [
  'The S3 server is Ceph (radosgw), in memory, on the same cores. Its processor time is that of the gateway only.',
  'Direct requests use presigned links. Porter signs each request and writes its ledger.',
];

function writer(environment: BenchEnvironment, server: FileServer, load: Load): Candidate {
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(withSpare(load), load.size);
    },
    run: async () =>
      counted(load, environment, {
        ...{ url: server.url, method: 'PUT', status: server.putStatus ?? 201 },
        requests: slots.map(({ putPath, headers }) => ({ path: putPath, headers })),
        bodyFile: await bodyFile(environment, load.size),
      }),
  };
}

/** Returns a candidate that reads each file for the first time. */
function firstReader(environment: BenchEnvironment, server: FileServer, load: Load): Candidate {
  let paths: string[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      paths = await storeFiles(server, withSpare(load), load.size);
    },
    run: () =>
      counted(load, environment, { url: server.url, status: 200, requests: paths.map((path) => ({ path })) }),
  };
}

async function reader(
  environment: BenchEnvironment,
  server: FileServer,
  load: Load,
  files: number,
): Promise<Candidate> {
  const { options, folders } = environment;
  const paths = await storeFiles(server, files, load.size);
  const { url } = server;
  const bounds = { connections: load.connections, seconds: options.seconds, status: 200 };
  const requests = paths.map((path) => ({ path }));
  return {
    ...toCandidate(server),
    run: async () => inUnits(load, await wrk({ url, requests, ...bounds, folder: folders.folder })),
  };
}

function largeWriter(environment: BenchEnvironment, server: FileServer): Candidate {
  let slots: UploadSlot[] = [];
  return {
    ...toCandidate(server),
    async prepare() {
      slots = await server.slots(1, LARGE);
    },
    run: async () => upload(server, slots, await bodyFile(environment, LARGE)),
  };
}

/** Adds extra requests, because some are still in progress when all counted requests are answered. */
const withSpare = ({ count, connections }: Load) => count + 2 * connections;

type Requests = Pick<Parameters<typeof wrk>[0], 'url' | 'method' | 'status' | 'requests' | 'bodyFile'>;

async function counted(load: Load, { folders }: BenchEnvironment, requests: Requests): Promise<Run> {
  const { connections, count } = load;
  return inUnits(load, await wrk({ ...requests, connections, count, seconds: 300, folder: folders.folder }));
}

const inUnits = ({ perFile }: Load, { done, seconds }: Run): Run => ({ done: done * perFile, seconds });
