import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/real/support/ports.ts';
import { Program } from '../../test/real/support/program.ts';
import { httpRequest } from '../../test/support/http.ts';
import type { CertificateFiles } from '../../test/support/self-signed-certificate.ts';
import { SIGNED_PATH, SIGNING_SECRET, signedSlots } from '../load/signed-slots.ts';
import { requestSlots } from '../load/slot-api.ts';
import type { FileServer } from './file-server.ts';

/** The built program, as users of the package run it. */
const MAIN = join(import.meta.dirname, '../../dist/main.js');

export interface PorterOptions {
  readonly name: string;
  readonly folder: string;
  /** `storage.sync`. */
  readonly sync: boolean;
  /** Default: 1. */
  readonly workers?: number;
  /** Serves HTTPS only, with slots by signed links. */
  readonly tls?: CertificateFiles;
  /** `connections.max`, also for one client. */
  readonly connections?: number;
  readonly component?: { readonly jid: string; readonly secret: string; readonly server: string };
  /** `storage.blobs` on S3, and the environment variables with the credentials. */
  readonly s3?: { readonly blobs: string; readonly env: Readonly<Record<string, string>> };
  /** The XMPP server for account logins, and the only token. */
  readonly messages?: { readonly server: string; readonly token: string; readonly from: string };
}

/** Starts the built program with the current Node, with the slot API open to loopback and without quotas. */
export async function porterServer(options: PorterOptions): Promise<FileServer> {
  const { name, sync, workers = 1, tls, connections, component, messages, s3 } = options;
  const folder = await mkdtemp(join(options.folder, 'porter-'));
  const port = await freePort();
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const ca = tls && (await readFile(tls.cert, 'utf8'));
  const files = join(folder, 'blobs');
  const config = {
    listen: `127.0.0.1:${port}`,
    public_url: url,
    workers,
    storage: { blobs: s3?.blobs ?? files, ledger: join(folder, 'porter.db'), sync },
    slot_api: {},
    external: { path: SIGNED_PATH, secret: SIGNING_SECRET, max_file_size: '1 GiB' },
    access: [{ jid: '.*' }],
    slots: { timeout: '1h' },
    log: { level: 'warn' },
    ...(tls && { tls }),
    ...(connections !== undefined && { connections: { max: connections, max_per_client: connections } }),
    ...(component && { component }),
    ...(messages && { messages: messagesOf(messages) }),
  };
  // JSON is YAML.
  await writeFile(join(folder, 'porter.yml'), JSON.stringify(config));
  const program = new Program(process.execPath, [MAIN, 'serve', '-c', 'porter.yml'], {
    cwd: folder,
    ...(s3 && { env: s3.env }),
  });
  await program.waitFor('readiness', () => isReady(url, ca));
  return {
    name,
    url,
    files,
    pid: program.pid,
    ...(ca !== undefined && { ca }),
    slots: ca
      ? async (count, size) => signedSlots(count, size)
      : (count, size) => requestSlots(url, count, size),
  };
}

function messagesOf({ server, token, from }: NonNullable<PorterOptions['messages']>) {
  return { server, require_tls: false, tokens: [{ token, from, to: '.*' }] };
}

/** Readiness includes the component stream. */
function isReady(url: string, ca: string | undefined): Promise<boolean> {
  return httpRequest(`${url}/readyz`, ca === undefined ? {} : { ca }).then(
    ({ status }) => status === 200,
    () => false,
  );
}
