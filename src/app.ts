import type { FastifyPluginAsync } from 'fastify';
import { addressMatcher } from './base/addresses.ts';
import { systemClock } from './base/clock.ts';
import { addGauges } from './base/gauges.ts';
import { randomId } from './base/ids.ts';
import { createLog, type Logger } from './base/log.ts';
import { createMeter } from './base/meter.ts';
import { sha1OfJid } from './base/owners.ts';
import { version } from './base/version.ts';
import type { Blobs } from './blobs/contract.ts';
import { fsBlobs } from './blobs/fs.ts';
import { builtFeatures, refuseMissingFeatures } from './config/features.ts';
import type { Config } from './config/load.ts';
import { needRestart } from './config/restart.ts';
import { dataPlane } from './http/data-plane.ts';
import { createDelivery, withoutDownloads } from './http/delivery.ts';
import { type ExternalSettings, externalDoor } from './http/external.ts';
import type { FileDoor } from './http/file-door.ts';
import { type FileShareSettings, fileShareDoor } from './http/file-share.ts';
import type { ListenAddress } from './http/listen.ts';
import { withMirror } from './http/mirror.ts';
import { oldLinkServer, pastRouter } from './http/old-links.ts';
import type { AddressMatcher } from './http/peer.ts';
import { type ProbeSettings, probes } from './http/probes.ts';
import { createReadiness, type ReadyCheck } from './http/readiness.ts';
import { createRoutes } from './http/routes.ts';
import { HttpServer } from './http/server.ts';
import { type SlotApiSettings, slotApi } from './http/slot-api.ts';
import type { Ledger, OldPath } from './ledger/contract.ts';
import { openSqliteLedger } from './ledger/sqlite.ts';
import { compileAccess, jidsNamedBy } from './policy/access.ts';
import type { UploadDeps, UploadRules } from './uploads/deps.ts';
import { createHotFiles } from './uploads/hot.ts';
import { startHousekeeping } from './uploads/housekeeping.ts';
import { blobUrl } from './uploads/links.ts';
import { createOldLinks } from './uploads/old-links.ts';
import { createTransfers } from './uploads/transfers.ts';
import { type Components, startComponents } from './xmpp/components.ts';

export interface Stores {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** A running server. */
export interface App {
  /** Where it really listens: port 0 of the config has become one. */
  readonly addresses: readonly ListenAddress[];
  readonly log: Logger;
  /** Takes over what can change while running; throws, with the old settings kept, where the new are no good. */
  reload(config: Config): Promise<void>;
  /** Takes no new work, lets transfers in flight end for up to `graceMs`, then closes everything. */
  stop(graceMs?: number): Promise<void>;
}

/** The one place that knows back ends by name. */
export async function openStores({ storage, downloads }: Config): Promise<Stores> {
  if (storage.ledger.kind !== 'sqlite' || storage.blobs.kind !== 'folder') throw new Error('no such store');
  const ledger = await openSqliteLedger({ file: storage.ledger.path, sync: storage.sync });
  // A web server that reads the folder by itself must never see half a file.
  const atomic = downloads.via === 'webserver';
  const blobs = fsBlobs({ root: storage.blobs.path, sync: storage.sync, atomic });
  return {
    ledger,
    blobs,
    async close() {
      await blobs.close();
      await ledger.close();
    },
  };
}

/** The rules of the house, out of the config. */
export function rulesOf(config: Config): UploadRules {
  return {
    access: compileAccess(config.access),
    retention: config.retention,
    globalQuota: config.global_quota,
    slotTimeout: config.slots.timeout,
    typeMismatch: config.uploads.type_mismatch,
    ...(config.downloads.via === 'webserver' && { fileLink: blobUrl }),
    jidsBySha1: new Map(
      [...(config.admin?.jids ?? []), ...jidsNamedBy(config.access)].map((jid) => [sha1OfJid(jid), jid]),
    ),
    signedPaths: signedPaths(config),
  };
}

/** With and without the paths of the base URLs in front, as links are pasted. */
function signedPaths({ external, file_share, public_url, download_url }: Config): OldPath[] {
  const doors = { external: external?.path, file_share: file_share?.path };
  const bases = ['', ...pathsOf([public_url, download_url])];
  return Object.entries(doors).flatMap(([namespace, path]) =>
    path === undefined ? [] : bases.map((base) => ({ path: base + path, namespace })),
  );
}

/** What a reload replaces, worked out once per config. */
function settingsOf(config: Config) {
  const trustedProxies = addressMatcher(config.trusted_proxies);
  const probe: ProbeSettings = { metricsFrom: addressMatcher(config.metrics.allow_from), trustedProxies };
  const slots: SlotApiSettings = {
    allowFrom: addressMatcher(config.slot_api?.allow_from ?? []),
    trustedProxies,
    token: config.slot_api?.token,
    publicUrl: config.public_url,
    downloadUrl: config.download_url,
  };
  const data = {
    idleTimeout: config.uploads.idle_timeout,
    inlineTypes: config.downloads.inline_types,
    downloadHeaders: config.downloads.headers,
  };
  const external: ExternalSettings = {
    secrets: config.external?.secret ?? [],
    deleteSecret: config.external?.delete_secret ?? null,
    maxFileSize: config.external?.max_file_size ?? 0,
    maxTotalSize: config.external?.max_total_size ?? null,
  };
  const fileShare: FileShareSettings = { secrets: config.file_share?.secret ?? [] };
  return { config, rules: rulesOf(config), probe, slots, data, external, fileShare };
}

/** Starts everything that the config asks for: stores, use cases, doors, in this order. */
export async function startApp(config: Config): Promise<App> {
  refuseMissingFeatures(config, builtFeatures);
  const log = createLog({ level: config.log.level, format: formatOf(config) });
  const meter = createMeter();
  const stores = await openStores(config);
  let current = settingsOf(config);

  const hot = createHotFiles();
  const deps: UploadDeps = {
    ...stores,
    rules: () => current.rules,
    clock: systemClock,
    log,
    meter,
    instance: randomId(),
    onRemoved: (removed) => {
      for (const { locator } of removed) hot.forget(locator);
    },
  };
  const trustedProxies = () => current.slots.trustedProxies;
  const doors = signedDoors(config, () => current);
  const data = dataPlane({
    ...deps,
    settings: () => current.data,
    transfers: createTransfers(),
    hot,
    doors,
    delivery: deliveryOf(config, trustedProxies),
  });
  // Asked for slots only once their links work.
  let components: Components | undefined;
  const links = createOldLinks(stores, pathsOf([config.public_url, config.download_url]));
  const routes = await createRoutes({ log, clock: systemClock, oldLinks: oldLinkServer(links, data) }, [
    probes(
      { meter, readiness: readinessOf(deps, config, () => components), version, probes: () => current.probe },
      config.metrics.path,
    ),
    ...slotApiOf(config, { ...deps, slotApi: () => current.slots }),
  ]);
  const mirrored = withMirror(
    { ledger: stores.ledger, trustedProxies },
    config.downloads.via === 'webserver' ? withoutDownloads(data) : data,
  );
  const server = new HttpServer(
    {
      log,
      data: mirrored,
      route: pastRouter(links, data, (request, response) => routes.routing(request, response)),
    },
    { listen: config.listen, tls: config.tls, baseUrls: [config.public_url, config.download_url] },
  );
  addGauges(meter.registry, {
    totals: () => stores.ledger.stats(),
    transfers: () => data.inFlight(),
    version,
  });

  const stopDoors = async (graceMs: number) => {
    await components?.stop();
    await Promise.all([server.stop({ graceMs }), data.close()]);
    await routes.close();
  };
  try {
    await server.start();
    const publicUrl = config.public_url ?? '';
    const componentDeps = {
      ...deps,
      publicUrl,
      downloadUrl: config.download_url ?? publicUrl,
      watchClocks: true,
    };
    components = startComponents(componentDeps, config.component);
    const housekeeping = await startHousekeeping(deps, {
      sweepEvery: () => current.config.retention.sweep_every ?? 0,
      keepRecords: () => current.config.retention.keep_records,
    });
    return {
      addresses: server.addresses,
      log,
      async reload(next) {
        refuseMissingFeatures(next, builtFeatures);
        const settings = settingsOf(withDeliveryOf(config, next));
        await server.reload(next.tls);
        current = settings;
        log.level = next.log.level;
        for (const key of needRestart(config, next))
          log.warn({ key }, 'changed in the config: takes a restart');
      },
      async stop(graceMs = 30_000) {
        await stopDoors(graceMs);
        await housekeeping.stop();
        await stores.close();
      },
    };
  } catch (error) {
    await stopDoors(0);
    await stores.close();
    throw error;
  }
}

function formatOf({ log }: Config): 'json' | 'pretty' {
  if (log.format !== 'auto') return log.format;
  return process.stdout.isTTY ? 'pretty' : 'json';
}

/** Of base URLs, where they have one: a web server in front may cut it off. */
function pathsOf(urls: readonly (string | null | undefined)[]): string[] {
  const paths = urls.flatMap((url) => (url ? [new URL(url).pathname.replace(/\/+$/, '')] : []));
  return paths.filter((path) => path !== '');
}

/** The doors whose links the XMPP server signs. */
function signedDoors(
  { external, file_share }: Config,
  current: () => { external: ExternalSettings; fileShare: FileShareSettings },
): FileDoor[] {
  const clock = systemClock;
  return [
    ...(external ? [externalDoor({ clock, external: () => current().external }, external.path)] : []),
    ...(file_share ? [fileShareDoor({ clock, fileShare: () => current().fileShare }, file_share.path)] : []),
  ];
}

function deliveryOf({ downloads, storage: { blobs } }: Config, trustedProxies: () => AddressMatcher) {
  const folder = blobs.kind === 'folder' ? blobs.path : undefined;
  const { via, internal_prefix: prefix } = downloads;
  return createDelivery({ via, prefix, folder, trustedProxies });
}

/** Who sends the files is settled at the start. */
function withDeliveryOf({ downloads: { via, internal_prefix } }: Config, next: Config): Config {
  return { ...next, downloads: { ...next.downloads, via, internal_prefix } };
}

function slotApiOf(config: Config, deps: Parameters<typeof slotApi>[0]): FastifyPluginAsync[] {
  return config.slot_api ? [slotApi(deps, config.slot_api.path)] : [];
}

function readinessOf(
  { ledger, blobs, log }: UploadDeps,
  config: Config,
  components: () => Components | undefined,
) {
  const checkStream = async (jid: string) => {
    const state = components()
      ?.status()
      .find((component) => component.jid === jid);
    if (!state?.up) throw new Error(state?.lastError ?? 'not connected yet');
  };
  const checks: ReadyCheck[] = [
    {
      part: 'ledger',
      fault: 'The ledger does not answer.',
      check: async () => void (await ledger.known([])),
    },
    { part: 'blobs', fault: 'The blobs cannot be written.', check: () => blobs.ready() },
    ...config.component.map(({ jid }) => ({
      part: jid,
      fault: 'The component stream is down.',
      check: () => checkStream(jid),
    })),
  ];
  return createReadiness(log, checks);
}
