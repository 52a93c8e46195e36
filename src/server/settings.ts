import { createAddressMatcher } from '../base/addresses.ts';
import { jidSha1 } from '../base/owners.ts';
import { createHostedLinks } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import type { HealthEndpointSettings } from '../http/listener/health-endpoints.ts';
import type { ExternalEndpointSettings } from '../http/signed-links/external-endpoint.ts';
import type { FileShareEndpointSettings } from '../http/signed-links/file-share-endpoint.ts';
import type { SlotApiSettings } from '../http/slots/slot-api.ts';
import type { OldPath } from '../ledger/contract/ledger.ts';
import { compileAccessRules, jidsInRules } from '../policy/access.ts';
import type { ContentRules } from '../uploads/content/content-checks.ts';
import { blobUrl } from '../uploads/links.ts';
import type { UploadRules } from '../uploads/services.ts';

/** Derives the upload rules from the config. */
export function toUploadRules(config: Config): UploadRules {
  return {
    access: compileAccessRules(config.access),
    retention: config.retention,
    globalQuota: config.global_quota,
    slotTimeout: config.slots.timeout,
    typeMismatch: config.uploads.type_mismatch,
    // A web server that reads the folder would continue to serve a file in the trash.
    trashMs: config.downloads.via === 'webserver' ? 0 : (config.retention.trash ?? 0),
    types: config.uploads.types,
    content: toContentRules(config),
    ...(config.downloads.via === 'webserver' && { fileUrlBuilder: blobUrl }),
    ...(config.slot_api && { slotApiNames: config.slot_api.names }),
    jidsBySha1: new Map(
      [...(config.web?.admins ?? []), ...jidsInRules(config.access)].map((jid) => [jidSha1(jid), jid]),
    ),
    signedPaths: signedPaths(config),
  };
}

function toContentRules({ uploads: { hash, scan }, downloads: { via } }: Config): ContentRules {
  if (scan === null) return { hash, scan };
  return {
    hash,
    scan: {
      address: scan.clamd,
      whenUnavailable: scan.when_unavailable,
      maxSize: scan.max_size,
      whenLarger: scan.when_larger,
      timeoutMs: scan.timeout,
      connections: scan.connections,
      // A web server that reads the folder would serve a file in the quarantine to anyone who knows its name.
      quarantineMs: via === 'webserver' ? 0 : (scan.quarantine ?? 0),
    },
  };
}

/** Returns the paths of signed links, with and without the paths of the base URLs in front, because users paste both forms. */
function signedPaths(config: Config): OldPath[] {
  const { external, file_share, messages } = config;
  const endpoints = {
    external: external?.path,
    file_share: file_share?.path,
    share: messages?.share_path,
  };
  const bases = ['', ...basePathsOf(createHostedLinks(config).urls)];
  return Object.entries(endpoints).flatMap(([namespace, path]) =>
    path === undefined ? [] : bases.map((base) => ({ path: base + path, namespace })),
  );
}

export type RuntimeSettings = ReturnType<typeof toRuntimeSettings>;

/** Derives the settings that a reload replaces. Called once per config. */
export function toRuntimeSettings(config: Config) {
  const trustedProxies = createAddressMatcher(config.trusted_proxies);
  const probe: HealthEndpointSettings = {
    metricsAllowFrom: createAddressMatcher(config.metrics.allow_from),
    trustedProxies,
  };
  const slots: SlotApiSettings = {
    allowFrom: createAddressMatcher(config.slot_api?.allow_from ?? []),
    trustedProxies,
    token: config.slot_api?.token,
    names: config.slot_api?.names ?? 'ascii',
    linkBasesFor: createHostedLinks(config).forOwner,
  };
  const data = {
    idleTimeoutMs: config.uploads.idle_timeout,
    totalTimeoutMs: config.uploads.total_timeout,
    inlineTypes: config.downloads.inline_types,
    downloadHeaders: config.downloads.headers,
    ...(config.uploads.resumable && {
      resumable: {
        interimResponses: config.uploads.interim_responses,
        trustedProxies,
      },
    }),
  };
  const external: ExternalEndpointSettings = {
    secrets: config.external?.secret ?? [],
    deleteSecret: config.external?.delete_secret ?? null,
    maxFileSize: config.external?.max_file_size ?? 0,
    maxTotalSize: config.external?.max_total_size ?? null,
    maxFiles: config.external?.max_files ?? null,
    types: config.uploads.types,
  };
  const fileShare: FileShareEndpointSettings = { secrets: config.file_share?.secret ?? [] };
  return { config, rules: toUploadRules(config), probe, slots, data, external, fileShare };
}

/** Returns the next config with the current options for the server of the files. A change of these options needs a restart. */
export function keepDeliverySettings({ downloads: { via, internal_prefix } }: Config, next: Config): Config {
  return { ...next, downloads: { ...next.downloads, via, internal_prefix } };
}

/** Returns the non-empty paths of base URLs, without a slash at the end. A reverse proxy may remove them. */
export function basePathsOf(urls: readonly string[]): string[] {
  const paths = urls.map((url) => new URL(url).pathname.replace(/\/+$/, ''));
  return [...new Set(paths)].filter((path) => path !== '');
}
