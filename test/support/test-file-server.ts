import type { TestContext } from 'node:test';
import type { BlobStore } from '../../src/blobs/contract.ts';
import type { FileEndpoint } from '../../src/http/files/file-endpoint.ts';
import type { FileServerSettings } from '../../src/http/files/file-headers.ts';
import {
  createFileServer,
  type FileServer,
  type FileServerServices,
} from '../../src/http/files/file-server.ts';
import type { TlsFiles } from '../../src/http/listener/certificate.ts';
import { HttpServer } from '../../src/http/listener/http-server.ts';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import { createFileCache, type FileCache } from '../../src/uploads/file-cache.ts';
import type { GrantedSlot, SlotRequest } from '../../src/uploads/grant-slot.ts';
import { getUrl, putUrl } from '../../src/uploads/links.ts';
import type { Shrinker } from '../../src/uploads/thumbnails/shrinker.ts';
import { createThumbnails } from '../../src/uploads/thumbnails/thumbnails.ts';
import { type HttpResponse, sendRequest } from './http.ts';
import { openTestServices, type TestServices } from './test-services.ts';

export interface TestFileServerOptions {
  readonly settings?: Partial<FileServerSettings>;
  /** Wraps the real store, to inject errors or to observe calls. */
  readonly blobs?: (real: BlobStore) => BlobStore;
  readonly ledger?: (real: Ledger) => Ledger;
  readonly takeoverAfter?: number;
  /** Claims every upload before its bytes are written, small ones too. */
  readonly claimAll?: boolean;
  readonly tls?: TlsFiles;
  /** Endpoints besides the one for Porter's slots. */
  readonly endpoints?: (deps: TestServices['services']) => readonly FileEndpoint[];
  /** How files are delivered if Porter does not send the bytes. */
  readonly delivery?: FileServerServices['delivery'];
  /** Redirects downloads. */
  readonly presignedLinks?: FileServerServices['presignedLinks'];
  /** Makes thumbnails. Without it, they are off. */
  readonly shrinker?: Shrinker;
  /** How long a cached lookup is used, milliseconds. */
  readonly cacheTrustMs?: number;
}

/** A slot with the paths of its two links. */
export interface TestSlot extends GrantedSlot {
  readonly putPath: string;
  readonly getPath: string;
}

/** The file endpoints on a real socket, with real stores. */
export interface TestFileServer extends TestServices {
  readonly port: number;
  readonly dataPlane: FileServer;
  readonly server: HttpServer;
  readonly fileCache: FileCache;
  changeSettings(change: Partial<FileServerSettings>): void;
  grantSlot(request?: Partial<SlotRequest>): Promise<TestSlot>;
  /** Uploads a file with these bytes. */
  storeFile(body: string | Buffer, request?: Partial<SlotRequest>): Promise<TestSlot>;
  put(grantSlot: TestSlot, body: string | Buffer, headers?: Record<string, string>): Promise<HttpResponse>;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<HttpResponse>;
}

export async function startTestFileServer(
  t: TestContext,
  options: TestFileServerOptions = {},
): Promise<TestFileServer> {
  const stores = await openTestServices(t);
  const { cacheTrustMs, takeoverAfter: takeoverAfterMs } = options;
  const { transfers } = stores.services;
  const fileCache = createFileCache({ ...(cacheTrustMs !== undefined && { ttlMs: cacheTrustMs }) });
  let settings: FileServerSettings = {
    idleTimeoutMs: 60_000,
    totalTimeoutMs: 86_400_000,
    inlineTypes: ['image/*', 'video/*', 'audio/*', 'text/plain'],
    downloadHeaders: {},
    ...options.settings,
  };
  const deps: FileServerServices = {
    ...stores.services,
    ledger: options.ledger?.(stores.services.ledger) ?? stores.services.ledger,
    blobs: options.blobs?.(stores.services.blobs) ?? stores.services.blobs,
    settings: () => settings,
    fileCache,
    endpoints: options.endpoints?.(stores.services) ?? [],
    transfers: options.claimAll
      ? { ...transfers, direct: { ...transfers.direct, isAllowed: () => false } }
      : transfers,
    delivery: options.delivery,
    presignedLinks: options.presignedLinks,
    thumbnails: options.shrinker && createThumbnails(stores.services, options.shrinker),
    ...(takeoverAfterMs !== undefined && { takeoverAfterMs }),
  };
  // A server does this at its start. Without heartbeats, small uploads need a claim.
  const machine = { host: 'test', machineId: '', bootId: '', pidNamespace: '' };
  await deps.ledger.heartbeat({ id: deps.instance, pid: process.pid, ...machine, clockSkewMs: null });
  const plane = createFileServer(deps);
  const server = new HttpServer(
    {
      log: stores.services.log,
      dataPlane: plane,
      route: (_request, response) => response.writeHead(404).end(),
    },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [], tls: options.tls },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  const [address] = server.addresses;
  const port = address && 'port' in address ? address.port : 0;
  const at = { host: '127.0.0.1', port };

  const grantSlot = async (request: Partial<SlotRequest> = {}): Promise<TestSlot> => {
    const granted = await stores.requestSlot(request);
    return {
      ...granted,
      putPath: putUrl('', granted.token, granted.name),
      getPath: getUrl('', granted),
    };
  };
  const put: TestFileServer['put'] = ({ putPath }, body, headers = {}) =>
    sendRequest(at, putPath, {
      method: 'PUT',
      headers: { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
      body,
    });

  return {
    ...stores,
    port,
    dataPlane: plane,
    server,
    fileCache,
    changeSettings(change) {
      settings = { ...settings, ...change };
    },
    grantSlot,
    put,
    async storeFile(body, request = {}) {
      const granted = await grantSlot({ size: Buffer.byteLength(body), ...request });
      const { status } = await put(granted, body);
      if (status !== 201) throw new Error(`PUT: ${status}`);
      return granted;
    },
    get: (path, headers = {}, method = 'GET') => sendRequest(at, path, { method, headers }),
  };
}
