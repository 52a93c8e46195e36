import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTRIB } from '../../support/paths.ts';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import { startNginx } from '../peers/nginx.ts';
import { replaceInSnippet, type WebServer } from '../peers/web-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { openSlotConfig } from '../support/slots.ts';

/** Several instances of Porter that share one ledger and one blob store. */
export interface Instances {
  readonly all: PorterProcess[];
  /** Starts an instance again, on its port and with its settings. */
  restart(number: number): Promise<PorterProcess>;
  remove(): Promise<void>;
}

export interface InstancesOptions {
  readonly count?: number;
  /** `postgres://…`. */
  readonly ledger: string;
  /** Default: a new shared folder. */
  readonly blobs?: string;
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startInstances(options: InstancesOptions): Promise<Instances> {
  const { count = 2, ledger, config, env } = options;
  const folder = await mkdtemp(join(tmpdir(), 'porter-blobs-'));
  const blobs = options.blobs ?? folder;
  const ports = await freePorts(count);
  const settings = { ...openSlotConfig, storage: { ledger, blobs }, ...config };
  const start = (port: number, at?: string) =>
    startPorter({ port, config: settings, ...(at && { folder: at }), ...(env && { env }) });
  const all = await Promise.all(ports.map((port) => start(port)));
  return {
    all,
    async restart(number) {
      const { port, folder: at } = all[number] as PorterProcess;
      const again = await start(port, at);
      all[number] = again;
      return again;
    },
    async remove() {
      await Promise.all(all.map((porter) => porter.remove()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The addresses of the two instances in the snippets. */
const SNIPPET_ADDRESSES = ['10.0.0.11:5050', '10.0.0.12:5050'];

interface LoadBalancerSettings {
  readonly port: number;
  readonly certificate: CertificateFiles;
  /** Certificate and key in one PEM file. */
  readonly pem: string;
}

interface LoadBalancerKind {
  readonly file: string;
  /** Replaces only the port and the certificate in the snippet. */
  fit(snippet: string, settings: LoadBalancerSettings): string;
  start(port: number, config: string): Promise<WebServer>;
}

/** Load balancers for which contrib/ has a snippet. */
export const loadBalancers = {
  nginx: {
    file: 'nginx/several.conf',
    fit: (snippet, { port, certificate: { cert, key } }) =>
      replaceInSnippet(snippet, {
        '/etc/letsencrypt/live/upload.example.org/fullchain.pem': cert,
        '/etc/letsencrypt/live/upload.example.org/privkey.pem': key,
        '443 ssl': `${port} ssl`,
      }),
    start: startNginx,
  },
  haproxy: {
    file: 'haproxy/porter.cfg',
    fit: (snippet, { port, pem }) =>
      replaceInSnippet(snippet, { '/etc/haproxy/upload.example.org.pem': pem, ':443': `127.0.0.1:${port}` }),
    start: startHaproxy,
  },
} as const satisfies Record<string, LoadBalancerKind>;

/** Two instances behind a load balancer that runs with its snippet. */
export interface LoadBalancedInstances extends Instances {
  /** `https://localhost:…` */
  readonly url: string;
  /** The trusted certificate, PEM. */
  readonly ca: string;
}

export async function startLoadBalanced(
  kind: LoadBalancerKind,
  options: InstancesOptions,
): Promise<LoadBalancedInstances> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-balanced-'));
  const certificate = await writeCertificate(folder, ['localhost']);
  const ca = await readFile(certificate.cert, 'utf8');
  const pem = join(folder, 'both.pem');
  await writeFile(pem, ca + (await readFile(certificate.key, 'utf8')));
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const instances = await startInstances({ ...options, config: { public_url: url, ...options.config } });
  const addresses = instances.all.map((porter) => `127.0.0.1:${porter.port}`);
  const changes = Object.fromEntries(SNIPPET_ADDRESSES.map((address, i) => [address, addresses[i] ?? '']));
  try {
    const snippet = replaceInSnippet(await readFile(join(CONTRIB, kind.file), 'utf8'), changes);
    const server = await kind.start(port, kind.fit(snippet, { port, certificate, pem }));
    return {
      ...instances,
      url,
      ca,
      async remove() {
        await server.stop();
        await instances.remove();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await instances.remove();
    throw error;
  }
}
