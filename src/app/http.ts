import type { FastifyPluginAsync } from 'fastify';
import { systemClock } from '../base/clock.ts';
import { addGauges } from '../base/gauges.ts';
import { version } from '../base/version.ts';
import type { Config } from '../config/load.ts';
import type { Desk } from '../fleet/worker.ts';
import { dataPlane } from '../http/data-plane.ts';
import { createDelivery, withoutDownloads } from '../http/delivery.ts';
import { externalDoor } from '../http/external.ts';
import type { FileDoor } from '../http/file-door.ts';
import { fileShareDoor } from '../http/file-share.ts';
import { withMirror } from '../http/mirror.ts';
import { oldLinkServer, pastRouter } from '../http/old-links.ts';
import type { AddressMatcher } from '../http/peer.ts';
import { createLinks, type Links } from '../http/presigned.ts';
import { probes } from '../http/probes.ts';
import type { Readiness } from '../http/readiness.ts';
import { createRoutes } from '../http/routes.ts';
import { HttpServer } from '../http/server.ts';
import { slotApi } from '../http/slot-api.ts';
import type { SendDeps } from '../messages/send.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import type { HotFiles } from '../uploads/hot.ts';
import { createOldLinks } from '../uploads/old-links.ts';
import type { Transfers } from '../uploads/transfers.ts';
import { messageDoorsOf } from './message-doors.ts';
import { pathsOf, type Settings } from './settings.ts';

export interface HttpParts {
  readonly deps: UploadDeps;
  readonly hot: HotFiles;
  readonly transfers: Transfers;
  /** As of the last reload. */
  readonly current: () => Settings;
  readonly readiness: () => Promise<Readiness>;
  /** Undefined where the config has no `messages`. */
  readonly posting: SendDeps | undefined;
  /** Of a process that is one of several workers. */
  readonly desk?: Desk | undefined;
}

/** Every door that speaks HTTP, behind one server that does not listen yet. */
export interface HttpDoors {
  readonly server: HttpServer;
  /** Takes no new work; what is in flight has `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

export async function openHttp(config: Config, parts: HttpParts): Promise<HttpDoors> {
  const { deps, hot, current, desk } = parts;
  const { ledger, log, meter } = deps;
  const trustedProxies = () => current().slots.trustedProxies;
  const data = dataPlane({
    ...deps,
    settings: () => current().data,
    transfers: parts.transfers,
    hot,
    doors: signedDoors(config, current),
    delivery: deliveryOf(config, trustedProxies),
    links: linksOf(config, deps),
  });
  const baseUrls = [config.public_url, config.download_url];
  const links = createOldLinks(deps, pathsOf(baseUrls));
  const oldLinks = oldLinkServer(links, data);
  const routes = await createRoutes({ log, clock: systemClock, oldLinks }, [
    probes(
      { meter, metrics: desk?.metrics, readiness: parts.readiness, version, probes: () => current().probe },
      config.metrics.path,
    ),
    ...slotApiOf(config, { ...deps, slotApi: () => current().slots }),
    ...messageDoorsOf(config, parts.posting, current, trustedProxies),
  ]);
  const files = config.downloads.via === 'webserver' ? withoutDownloads(data) : data;
  const server = new HttpServer(
    {
      log,
      data: withMirror({ ledger, trustedProxies }, files),
      route: pastRouter(links, data, (request, response) => routes.routing(request, response)),
    },
    { listen: config.listen, tls: config.tls, shared: desk !== undefined, baseUrls },
  );
  addGauges(meter.registry, {
    totals: () => ledger.stats(),
    queues: { outbox: () => ledger.waiting('outbox'), callback: () => ledger.waiting('callback') },
    transfers: () => data.inFlight(),
    version,
  });
  desk?.serve('snapshot', () => meter.registry.getMetricsAsJSON());
  return {
    server,
    async stop(graceMs) {
      await Promise.all([server.stop({ graceMs }), data.close()]);
      await routes.close();
    },
  };
}

/** The doors whose links the XMPP server signs. */
function signedDoors({ external, file_share }: Config, current: () => Settings): FileDoor[] {
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

function linksOf({ downloads: { via } }: Config, { blobs, clock }: UploadDeps): Links | undefined {
  const link = blobs.link?.bind(blobs);
  return via === 'presigned' && link ? createLinks({ link, clock }) : undefined;
}

function slotApiOf(config: Config, deps: Parameters<typeof slotApi>[0]): FastifyPluginAsync[] {
  return config.slot_api ? [slotApi(deps, config.slot_api.path)] : [];
}
