import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { freePorts } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';

/** A real S3 server: Ceph with one monitor, one OSD and one gateway in a temporary folder. */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** The environment variables with the credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Direct access, without Porter. */
  readonly client: S3Client;
  /** Creates an empty bucket and returns its name. */
  createBucket(): Promise<string>;
  /** Returns `storage.blobs` for a bucket; `more` adds parameters such as `&create=true`. */
  blobsUrl(bucket: string, more?: string): string;
  /** Limits the total size of all buckets of the user, in bytes; null removes the limit. */
  setQuota(bytes: number | null): Promise<void>;
  /** Kills the gateway and the OSD; the monitor keeps running. */
  kill(): Promise<void>;
  /** Kills the gateway, so that connections are refused. */
  killGateway(): Promise<void>;
  /** Restarts the processes that were killed. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

export interface S3Options {
  /** `memory` loses its objects when killed; `disk` keeps them and starts more slowly. */
  readonly backing?: 'memory' | 'disk';
}

const USER = 'porter-test';

export async function startS3({ backing = 'memory' }: S3Options = {}): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-s3-'));
  const [monitorPort = 0, port = 0] = await freePorts(2);
  const config = join(folder, 'ceph.conf');
  const ceph = (command: string, ...args: readonly string[]) => runOrThrow(command, ['-c', config, ...args]);
  const daemon = (command: string, ...args: readonly string[]) =>
    new Program(command, ['-d', '-c', config, ...args]);
  const [accessKey, secretKey] = ['porter-key', randomUUID()];
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  let monitor: Program | undefined;
  let store: Program | undefined;
  let gateway: Program | undefined;
  let buckets = 0;

  const start = async () => {
    if (!store?.running) store = daemon('ceph-osd', '-i', '0');
    if (!gateway?.running) gateway = daemon('radosgw', '-n', 'client.gateway');
    await gateway.waitFor('an answer', () => answers(client));
  };
  const remove = async () => {
    client.destroy();
    // SIGKILL, because an OSD writes all of its objects to disk on SIGTERM.
    for (const program of [gateway, store, monitor]) await program?.stop('SIGKILL');
    await rm(folder, { recursive: true });
  };
  try {
    await writeConfig(folder, config, { monitorPort, port, keeps: backing });
    await ceph('ceph-mon', '--mkfs', '-i', 'a');
    monitor = daemon('ceph-mon', '-i', 'a');
    const id = randomUUID();
    await ceph('ceph', '--connect-timeout', '60', 'osd', 'new', id);
    await ceph('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', id);
    store = daemon('ceph-osd', '-i', '0');
    const keys = ['--access-key', accessKey, '--secret', secretKey];
    await ceph('radosgw-admin', 'user', 'create', '--uid', USER, '--display-name', USER, ...keys);
    await start();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    endpoint,
    accessKey,
    secretKey,
    env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_REGION: 'us-east-1' },
    client,
    async createBucket() {
      buckets += 1;
      const Bucket = `files-${buckets}`;
      await client.send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    blobsUrl: (bucket, more = '') => `s3://${bucket}/some/files?endpoint=${endpoint}&path_style=true${more}`,
    async setQuota(bytes) {
      const quota = ['--uid', USER, '--quota-scope', 'user'];
      if (bytes === null) await ceph('radosgw-admin', 'quota', 'disable', ...quota);
      else {
        await ceph('radosgw-admin', 'quota', 'set', ...quota, '--max-size', String(bytes));
        await ceph('radosgw-admin', 'quota', 'enable', ...quota);
      }
    },
    async kill() {
      await Promise.all([store?.stop('SIGKILL'), gateway?.stop('SIGKILL')]);
    },
    killGateway: async () => void (await gateway?.stop('SIGKILL')),
    start,
    remove,
  };
}

interface Settings {
  readonly monitorPort: number;
  readonly port: number;
  readonly keeps: 'memory' | 'disk';
}

async function writeConfig(folder: string, config: string, settings: Settings): Promise<void> {
  const { stdout: key } = await runOrThrow('ceph-authtool', ['--gen-print-key']);
  const roles = ['mon.', 'osd.0', 'client.admin', 'client.gateway'];
  const entry = (role: string) =>
    `[${role}]\nkey = ${key.trim()}\ncaps mon = "allow *"\ncaps osd = "allow *"\n`;
  const keyring = join(folder, 'keyring');
  await writeFile(keyring, roles.map(entry).join(''));
  await mkdir(join(folder, 'monitor'));
  await mkdir(join(folder, 'store'));
  const lines = Object.entries(optionsOf(folder, keyring, settings)).map(
    ([name, value]) => `${name} = ${value}`,
  );
  const monitor = `[mon]\npublic addr = v2:127.0.0.1:${settings.monitorPort}\n`;
  const store = '[osd]\npublic addr = 127.0.0.1\ncluster addr = 127.0.0.1\n';
  await writeFile(config, `[global]\n${lines.join('\n')}\n${monitor}${store}`);
}

const GIB = 1024 ** 3;

function optionsOf(folder: string, keyring: string, { monitorPort, port, keeps }: Settings) {
  return {
    fsid: randomUUID(),
    keyring,
    'mon host': `v2:127.0.0.1:${monitorPort}`,
    'mon data': join(folder, 'monitor'),
    'osd data': join(folder, 'store'),
    'run dir': folder,
    'crash dir': folder,
    'admin socket': '',
    'pid file': '',
    'log file': '',
    'mon cluster log file': '',
    'ms bind ipv6': false,
    'ms bind msgr1': false,
    // A single copy, because there is only one machine.
    'osd pool default size': 1,
    'osd pool default min size': 1,
    'osd pool default pg num': 4,
    'osd pool default pgp num': 4,
    'osd pool default pg autoscale mode': 'off',
    'osd crush chooseleaf type': 0,
    'mon allow pool size one': true,
    'mon max pg per osd': 1000,
    'mon data avail warn': 1,
    'mon data avail crit': 1,
    // The defaults batch changes for large clusters and would only delay the tests.
    'paxos propose interval': 0.02,
    'paxos min wait': 0.01,
    'objecter tick interval': 0.5,
    'osd objectstore': keeps === 'memory' ? 'memstore' : 'bluestore',
    'memstore device bytes': 16 * GIB,
    'bluestore block size': 8 * GIB,
    // The OSD keeps a log in memory that grows with each request unless limited.
    'osd target pg log entries per osd': 1000,
    'osd min pg log entries': 10,
    'osd max pg log entries': 50,
    'osd pg log dups tracked': 10,
    'osd pg log trim min': 10,
    // Without tcp_nodelay every small response is delayed by 40 ms.
    'rgw frontends': `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    // Usage is counted without delay, so that quotas apply immediately.
    'rgw bucket quota ttl': 0,
    'rgw user quota bucket sync interval': 1,
    'rgw user quota sync interval': 1,
  };
}

async function runOrThrow(command: string, args: readonly string[]) {
  const end = await runProgram(command, args);
  if (end.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${end.code}: ${end.stderr}`);
  return end;
}

function answers(client: S3Client): Promise<boolean> {
  return client.send(new ListBucketsCommand({}), { requestTimeout: 5000 }).then(
    () => true,
    () => false,
  );
}
