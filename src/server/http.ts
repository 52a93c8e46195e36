import type { Clock } from '../base/clock.ts';
import { version } from '../base/package-files.ts';
import { fileDescriptorLimit } from '../base/system-resources.ts';
import type { Relay } from '../cluster/relay.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import { createHostedLinks } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import type { AddressMatcher } from '../http/common/client-info.ts';
import { recognizingDoctor } from '../http/common/doctor-requests.ts';
import { withEchoEndpoint } from '../http/files/echo-endpoint.ts';
import type { FileEndpoint } from '../http/files/file-endpoint.ts';
import { createFileServer, createOldLinkHandler, withCachedOldLinks } from '../http/files/file-server.ts';
import { createPresignedLinks, type PresignedLinks } from '../http/files/presigned-links.ts';
import { createWebServerDelivery, withoutSlotDownloads } from '../http/files/web-server-delivery.ts';
import { connectionLimitsFor } from '../http/listener/connection-limit.ts';
import { healthEndpoints } from '../http/listener/health-endpoints.ts';
import { HttpServer } from '../http/listener/http-server.ts';
import { createRouter } from '../http/listener/router.ts';
import { externalEndpoint } from '../http/signed-links/external-endpoint.ts';
import { fileShareEndpoint } from '../http/signed-links/file-share-endpoint.ts';
import { slotApiEndpoint } from '../http/slots/slot-api.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { addGauges } from '../metrics/gauges.ts';
import { createOldLinks } from '../uploads/old-links.ts';
import type { UploadServices } from '../uploads/services.ts';
import { requestDiscovery } from './leader-tasks.ts';
import type { Messaging } from './messaging.ts';
import { createServerReadiness } from './readiness-checks.ts';
import type { Runtime } from './runtime.ts';
import { basePathsOf } from './settings.ts';

export interface HttpDependencies {
  readonly relay: Relay;
  /** Undefined if the config has neither `messages` nor `web`. */
  readonly messaging: Pick<Messaging, 'senders'> | undefined;
  /** Undefined if the config has no `messages` section. */
  readonly messageServices: MessageServices | undefined;
  /** Set in a process that is one of several workers. */
  readonly workerClient?: WorkerClient | undefined;
}

/** One HTTP server with all endpoints. */
export interface HttpEndpoints {
  /** Listens after `start()`. */
  readonly server: HttpServer;
  /** Stops accepting work and gives running transfers `graceMs` milliseconds to finish. */
  stop(graceMs: number): Promise<void>;
}

export async function openHttp(runtime: Runtime, dependencies: HttpDependencies): Promise<HttpEndpoints> {
  const { config, services, settings } = runtime;
  const { relay, messaging, messageServices, workerClient } = dependencies;
  const { ledger, log, metrics, clock } = services;
  const trustedProxies = () => settings().slots.trustedProxies;
  const fileServer = createFileServer({
    ...services,
    settings: () => settings().data,
    endpoints: createSignedEndpoints(config, clock, settings),
    delivery: createDelivery(config, trustedProxies),
    presignedLinks: createS3Links(config, services),
  });
  const baseUrls = createHostedLinks(config).urls;
  const importedLinks = createOldLinks(services, basePathsOf(baseUrls));
  // Loaded only by a config that needs them.
  const messages =
    messageServices &&
    (await import('./message-endpoints.ts')).createMessageEndpoints(runtime, messageServices);
  const oldLinks = messages ? messages.withSharedLinks(importedLinks) : importedLinks;
  const web =
    config.web &&
    messaging &&
    (await import('./web.ts')).createWebEndpoint(runtime, config.web.path, {
      ...{ messaging, relay, hooks: messages?.hooks },
    });
  const router = await createRouter({ log, clock, oldLinks: createOldLinkHandler(oldLinks, fileServer) }, [
    healthEndpoints(
      {
        metrics,
        allProcessesMetrics: workerClient?.fetchMetrics,
        readiness: createServerReadiness(runtime, relay, log),
        version,
        settings: () => settings().probe,
      },
      config.metrics.path,
    ),
    ...(config.slot_api
      ? [slotApiEndpoint({ ...services, settings: () => settings().slots }, config.slot_api.path)]
      : []),
    ...(messages?.endpoints ?? []),
    ...(web ? [web] : []),
  ]);
  const slotFiles =
    config.downloads.via === 'webserver'
      ? withoutSlotDownloads(fileServer, { hasThumbnails: config.thumbnails })
      : fileServer;
  const server = new HttpServer(
    {
      log,
      trustedProxies,
      onConnectionDropped: (reason) => metrics.connectionDropped(reason),
      dataPlane: withEchoEndpoint(
        {
          ledger,
          trustedProxies,
          resumable: () => settings().data.resumable,
          discover: () => requestDiscovery(relay),
        },
        { ...slotFiles, handle: recognizingDoctor({ ledger }, slotFiles.handle) },
      ),
      route: recognizingDoctor(
        { ledger },
        withCachedOldLinks(oldLinks, fileServer, (request, response) => router.routing(request, response)),
      ),
    },
    {
      listen: config.listen,
      tls: config.tls,
      shared: workerClient !== undefined,
      baseUrls,
      connectionLimits: connectionLimitsFor(fileDescriptorLimit(), config.connections),
    },
  );
  addGauges(metrics.registry, {
    totals: () => ledger.stats(),
    queues: { outbox: () => ledger.queueLength('outbox'), callback: () => ledger.queueLength('callback') },
    connections: () => server.openConnections,
    transfers: () => fileServer.transfersInFlight(),
    disks: () => services.spaceReserve.states(),
    version,
  });
  workerClient?.handle('snapshot', () => metrics.registry.getMetricsAsJSON());
  return {
    server,
    async stop(graceMs) {
      await Promise.all([server.stop({ graceMs }), fileServer.close()]);
      await router.close();
      await messages?.hooks.calls.flush();
    },
  };
}

/** Creates the endpoints for links that the XMPP server signs. */
function createSignedEndpoints(
  { external, file_share }: Config,
  clock: Clock,
  settings: Runtime['settings'],
): FileEndpoint[] {
  return [
    ...(external ? [externalEndpoint({ clock, settings: () => settings().external }, external.path)] : []),
    ...(file_share
      ? [fileShareEndpoint({ clock, settings: () => settings().fileShare }, file_share.path)]
      : []),
  ];
}

function createDelivery({ downloads, storage: { blobs } }: Config, trustedProxies: () => AddressMatcher) {
  const blobFolder = blobs.kind === 'folder' ? blobs.path : undefined;
  const { via, internal_prefix: prefix } = downloads;
  return createWebServerDelivery({ via, prefix, blobFolder, trustedProxies });
}

function createS3Links(
  { downloads: { via } }: Config,
  { blobs, clock }: Pick<UploadServices, 'blobs' | 'clock'>,
): PresignedLinks | undefined {
  const link = blobs.presignUrl?.bind(blobs);
  return via === 'presigned' && link ? createPresignedLinks({ link, clock }) : undefined;
}
