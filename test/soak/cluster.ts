import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../real/peers/postgres.ts';
import { startS3 } from '../real/peers/s3.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../real/support/porter-process.ts';
import { startPostgresProxy } from '../real/support/postgres-proxy.ts';
import { openSlotConfig } from '../real/support/slots.ts';
import { mountTmpfs, needsMount } from '../real/support/tmpfs.ts';
import type { Random } from './random.ts';

/** The servers under test, and the faults that can be injected. */
export interface SoakCluster {
  readonly faults: readonly SoakFault[];
  /** The folder of the blobs; undefined with S3. */
  readonly blobFolder: string | undefined;
  /** Returns a random server, which may not be running. */
  any(): PorterProcess;
  /** Ends all faults and starts one server with the right clock. */
  repair(): Promise<PorterProcess>;
  remove(): Promise<void>;
}

export interface SoakFault {
  readonly name: string;
  /** Resolves when the fault is over. */
  inject(): Promise<void>;
}

export interface SoakOptions {
  readonly ledger: string;
  readonly blobs: string;
  readonly random: Random;
}

const DISK_MIB = 512;
const MAX_CLOCK_STEP_MS = 120_000;

/** The part of the cluster that depends on a back end. */
interface BackEnd {
  readonly settings: object;
  readonly env: Readonly<Record<string, string>>;
  readonly faults: readonly SoakFault[];
  remove(): Promise<void>;
}

/** Starts two instances with PostgreSQL, or one server with SQLite. */
export async function openSoakCluster({ ledger, blobs, random }: SoakOptions): Promise<SoakCluster> {
  const folder = await createTemporaryFolder();
  const disk = needsMount() ? undefined : await mountTmpfs(folder, DISK_MIB);
  const database = ledger === 'postgresql' ? await openDatabase(random) : undefined;
  const bucket = blobs === 's3' ? await openBucket(random) : undefined;
  const blobFolder = bucket === undefined ? join(folder, 'blobs') : undefined;
  const config = {
    ...openSlotConfig,
    slots: { timeout: '1h' },
    retention: { sweep_every: '10s' },
    storage: { reserve: '8 MiB', blobs: blobFolder, ...database?.settings, ...bucket?.settings },
  };
  const start = (number: number, port?: number, clockStepMs = 0) =>
    startPorter({
      folder: number === 0 ? folder : join(folder, String(number)),
      ...(port !== undefined && { port }),
      config,
      env: { ...bucket?.env, ...(clockStepMs !== 0 && { NODE_OPTIONS: shiftClock(clockStepMs) }) },
    });
  const servers = [await start(0)];
  if (database !== undefined) servers.push(await startSecond(folder, start));

  const restart = async (signal: NodeJS.Signals, clockStepMs = 0) => {
    const number = random.below(servers.length);
    const server = servers[number] as PorterProcess;
    await server.stop(signal);
    servers[number] = await start(number, server.port, clockStepMs);
  };
  const serverFaults: SoakFault[] = [
    { name: 'kill', inject: () => restart('SIGKILL') },
    { name: 'restart', inject: () => restart('SIGTERM') },
    {
      name: 'clock step',
      inject: () => restart('SIGKILL', random.between(-MAX_CLOCK_STEP_MS, MAX_CLOCK_STEP_MS)),
    },
    { name: 'freeze', inject: () => freeze(random.pick(servers), random.between(100, 4000)) },
  ];
  const fullDisk = { name: 'full disk', inject: () => fillDisk(folder, random.between(500, 2000)) };
  return {
    faults: [
      ...serverFaults,
      ...(disk === undefined ? [] : [fullDisk]),
      ...(database?.faults ?? []),
      ...(bucket?.faults ?? []),
    ],
    blobFolder,
    any: () => random.pick(servers),
    async repair() {
      await Promise.all(servers.map((server) => server.stop()));
      servers.splice(0, servers.length, await start(0, servers[0]?.port));
      return servers[0] as PorterProcess;
    },
    async remove() {
      await Promise.all(servers.map((server) => server.stop()));
      await database?.remove();
      await bucket?.remove();
      await disk?.remove();
    },
  };
}

async function startSecond(
  folder: string,
  start: (number: number) => Promise<PorterProcess>,
): Promise<PorterProcess> {
  await mkdir(join(folder, '1'));
  return await start(1);
}

async function openDatabase(random: Random): Promise<BackEnd> {
  const server = await startPostgres();
  const proxy = await startPostgresProxy(server.port);
  const url = new URL(await server.createSchema());
  url.port = String(proxy.port);
  return {
    settings: { ledger: url.href },
    env: {},
    faults: [
      {
        name: 'database connections cut',
        async inject() {
          proxy.setDown(true);
          await sleep(random.between(0, 3000));
          proxy.setDown(false);
        },
      },
      {
        name: 'database killed',
        async inject() {
          await server.kill();
          await server.start();
        },
      },
    ],
    async remove() {
      await proxy.close();
      await server.remove();
    },
  };
}

async function openBucket(random: Random): Promise<BackEnd> {
  const server = await startS3();
  // For the commands that run while the servers run.
  Object.assign(process.env, server.env);
  const bucket = await server.createBucket();
  return {
    settings: { blobs: server.blobsUrl(bucket) },
    env: server.env,
    faults: [
      {
        name: 'object store down',
        async inject() {
          await server.killGateway();
          await sleep(random.between(0, 2000));
          await server.start();
        },
      },
    ],
    remove: () => server.remove(),
  };
}

/** Returns the option that shifts the clock of a Node process by this number of milliseconds. */
function shiftClock(ms: number): string {
  const script = `const now = Date.now; Date.now = () => now() + (${ms});`;
  return `--import=data:text/javascript,${encodeURIComponent(script)}`;
}

async function freeze({ program }: PorterProcess, ms: number): Promise<void> {
  program.signal('SIGSTOP');
  await sleep(ms);
  program.signal('SIGCONT');
}

async function fillDisk(folder: string, ms: number): Promise<void> {
  const ballast = join(folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(DISK_MIB * 1024 * 1024)).catch(() => undefined);
  await sleep(ms);
  await writeFile(ballast, '');
}
