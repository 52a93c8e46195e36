import type { FastifyPluginAsync } from 'fastify';
import { systemClock } from '../base/clock.ts';
import { version } from '../base/version.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import type { Config } from '../config/load.ts';
import type { AddressMatcher } from '../http/common/client-info.ts';
import { withEchoEndpoint } from '../http/files/echo-endpoint.ts';
import type { FileEndpoint } from '../http/files/file-endpoint.ts';
import { createFileServer } from '../http/files/file-server.ts';
import { createOldLinkHandler, withCachedOldLinks } from '../http/files/old-links.ts';
import { createPresignedLinks, type PresignedLinks } from '../http/files/presigned-links.ts';
import { createWebServerDelivery, withoutSlotDownloads } from '../http/files/web-server-delivery.ts';
import { healthEndpoints } from '../http/listener/health-endpoints.ts';
import { HttpServer } from '../http/listener/http-server.ts';
import type { Readiness } from '../http/listener/readiness.ts';
import { createRouter } from '../http/listener/router.ts';
import { externalEndpoint } from '../http/signed-links/external-endpoint.ts';
import { fileShareEndpoint } from '../http/signed-links/file-share-endpoint.ts';
import { slotApiEndpoint } from '../http/slots/slot-api.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { addGauges } from '../metrics/gauges.ts';
import { createOldLinks } from '../uploads/old-links.ts';
import type { UploadServices } from '../uploads/services.ts';
import { createMessageEndpoints } from './message-endpoints.ts';
import { basePathsOf, type RuntimeSettings } from './settings.ts';

export interface HttpServices {
  readonly services: UploadServices;
  /** As of the last reload. */
  readonly settings: () => RuntimeSettings;
  readonly readiness: () => Promise<Readiness>;
  /** Undefined where the config has no `messages`. */
  readonly messageServices: MessageServices | undefined;
  /** Of a process that is one of several workers. */
  readonly workerClient?: WorkerClient | undefined;
}

/** Every door that speaks HTTP, behind one server that does not listen yet. */
export interface HttpEndpoints {
  readonly server: HttpServer;
  /** Takes no new work; what is in flight has `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

export async function openHttp(config: Config, parts: HttpServices): Promise<HttpEndpoints> {
  const { services, settings: current, workerClient } = parts;
  const { ledger, log, metrics } = services;
  const trustedProxies = () => current().slots.trustedProxies;
  const data = createFileServer({
    ...services,
    settings: () => current().data,
    endpoints: signedDoors(config, current),
    delivery: deliveryOf(config, trustedProxies),
    presignedLinks: linksOf(config, services),
  });
  const baseUrls = [config.public_url, config.download_url];
  const links = createOldLinks(services, basePathsOf(baseUrls));
  const oldLinks = createOldLinkHandler(links, data);
  const routes = await createRouter({ log, clock: systemClock, oldLinks }, [
    healthEndpoints(
      {
        metrics: metrics,
        allProcessesMetrics: workerClient?.fetchMetrics,
        readiness: parts.readiness,
        version,
        settings: () => current().probe,
      },
      config.metrics.path,
    ),
    ...slotApiOf(config, { ...services, settings: () => current().slots }),
    ...createMessageEndpoints(config, parts.messageServices, current, trustedProxies),
  ]);
  const files = config.downloads.via === 'webserver' ? withoutSlotDownloads(data) : data;
  const server = new HttpServer(
    {
      log,
      dataPlane: withEchoEndpoint({ ledger, trustedProxies }, files),
      route: withCachedOldLinks(links, data, (request, response) => routes.routing(request, response)),
    },
    { listen: config.listen, tls: config.tls, shared: workerClient !== undefined, baseUrls },
  );
  addGauges(metrics.registry, {
    totals: () => ledger.stats(),
    queues: { outbox: () => ledger.queueLength('outbox'), callback: () => ledger.queueLength('callback') },
    transfers: () => data.transfersInFlight(),
    version,
  });
  workerClient?.handle('snapshot', () => metrics.registry.getMetricsAsJSON());
  return {
    server,
    async stop(graceMs) {
      await Promise.all([server.stop({ graceMs }), data.close()]);
      await routes.close();
    },
  };
}

/** The doors whose links the XMPP server signs. */
function signedDoors({ external, file_share }: Config, current: () => RuntimeSettings): FileEndpoint[] {
  const clock = systemClock;
  return [
    ...(external ? [externalEndpoint({ clock, settings: () => current().external }, external.path)] : []),
    ...(file_share
      ? [fileShareEndpoint({ clock, settings: () => current().fileShare }, file_share.path)]
      : []),
  ];
}

function deliveryOf({ downloads, storage: { blobs } }: Config, trustedProxies: () => AddressMatcher) {
  const blobFolder = blobs.kind === 'folder' ? blobs.path : undefined;
  const { via, internal_prefix: prefix } = downloads;
  return createWebServerDelivery({ via, prefix, blobFolder, trustedProxies });
}

function linksOf(
  { downloads: { via } }: Config,
  { blobs, clock }: UploadServices,
): PresignedLinks | undefined {
  const link = blobs.presignUrl?.bind(blobs);
  return via === 'presigned' && link ? createPresignedLinks({ link, clock }) : undefined;
}

function slotApiOf(config: Config, deps: Parameters<typeof slotApiEndpoint>[0]): FastifyPluginAsync[] {
  return config.slot_api ? [slotApiEndpoint(deps, config.slot_api.path)] : [];
}
