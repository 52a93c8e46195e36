import type { TestContext } from 'node:test';
import type { Blobs } from '../../src/blobs/contract.ts';
import type { DataPlaneDeps, DataPlaneSettings } from '../../src/http/data-deps.ts';
import { type DataPlane, dataPlane } from '../../src/http/data-plane.ts';
import type { FileDoor } from '../../src/http/file-door.ts';
import { HttpServer } from '../../src/http/server.ts';
import type { TlsFiles } from '../../src/http/tls.ts';
import type { Ledger } from '../../src/ledger/contract.ts';
import type { GrantedSlot, SlotRequest } from '../../src/uploads/grant.ts';
import { createHotFiles, type HotFiles } from '../../src/uploads/hot.ts';
import { getUrl, putUrl } from '../../src/uploads/links.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';
import { openHouse, type TestHouse } from '../unit/uploads/house.ts';
import { call, type Reply } from './http.ts';

export interface DataHouseOptions {
  readonly settings?: Partial<DataPlaneSettings>;
  /** Stands between the data plane and the real store: to fail on cue, or to look on. */
  readonly blobs?: (real: Blobs) => Blobs;
  readonly ledger?: (real: Ledger) => Ledger;
  readonly takeoverAfter?: number;
  readonly tls?: TlsFiles;
  /** Doors besides those of our own slots. */
  readonly doors?: (deps: TestHouse['deps']) => readonly FileDoor[];
  /** Who sends the bytes of files, where it is not Porter. */
  readonly delivery?: DataPlaneDeps['delivery'];
  /** Milliseconds for which a look-up is trusted. */
  readonly trust?: number;
}

/** A slot with the paths of its two links. */
export interface TestSlot extends GrantedSlot {
  readonly putPath: string;
  readonly getPath: string;
}

/** The real data plane on a real socket, over real stores. */
export interface DataHouse extends TestHouse {
  readonly port: number;
  readonly plane: DataPlane;
  readonly server: HttpServer;
  readonly hot: HotFiles;
  settings(change: Partial<DataPlaneSettings>): void;
  slot(request?: Partial<SlotRequest>): Promise<TestSlot>;
  /** A stored file of these bytes. */
  file(body: string | Buffer, request?: Partial<SlotRequest>): Promise<TestSlot>;
  put(slot: TestSlot, body: string | Buffer, headers?: Record<string, string>): Promise<Reply>;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Reply>;
}

export async function openDataHouse(t: TestContext, options: DataHouseOptions = {}): Promise<DataHouse> {
  const house = await openHouse(t);
  const { trust, takeoverAfter } = options;
  const hot = createHotFiles({ ...(trust !== undefined && { trust }) });
  let settings: DataPlaneSettings = {
    idleTimeout: 60_000,
    inlineTypes: ['image/*', 'video/*', 'audio/*', 'text/plain'],
    downloadHeaders: {},
    ...options.settings,
  };
  const deps: DataPlaneDeps = {
    ...house.deps,
    ledger: options.ledger?.(house.deps.ledger) ?? house.deps.ledger,
    blobs: options.blobs?.(house.deps.blobs) ?? house.deps.blobs,
    settings: () => settings,
    transfers: createTransfers(),
    hot,
    onRemoved: (removed) => {
      for (const { locator } of removed) hot.forget(locator);
    },
    doors: options.doors?.(house.deps) ?? [],
    delivery: options.delivery,
    ...(takeoverAfter !== undefined && { takeoverAfter }),
  };
  const plane = dataPlane(deps);
  const server = new HttpServer(
    { log: house.deps.log, data: plane, route: (_request, response) => response.writeHead(404).end() },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [], tls: options.tls },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  const [address] = server.addresses;
  const port = address && 'port' in address ? address.port : 0;
  const at = { host: '127.0.0.1', port };

  const slot = async (request: Partial<SlotRequest> = {}): Promise<TestSlot> => {
    const granted = await house.ask(request);
    return {
      ...granted,
      putPath: putUrl('', granted.token, granted.name),
      getPath: getUrl('', granted),
    };
  };
  const put: DataHouse['put'] = ({ putPath }, body, headers = {}) =>
    call(at, putPath, {
      method: 'PUT',
      headers: { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
      body,
    });

  return {
    ...house,
    port,
    plane,
    server,
    hot,
    settings(change) {
      settings = { ...settings, ...change };
    },
    slot,
    put,
    async file(body, request = {}) {
      const granted = await slot({ size: Buffer.byteLength(body), ...request });
      const { status } = await put(granted, body);
      if (status !== 201) throw new Error(`PUT: ${status}`);
      return granted;
    },
    get: (path, headers = {}, method = 'GET') => call(at, path, { method, headers }),
  };
}
