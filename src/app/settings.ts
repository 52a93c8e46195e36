import { addressMatcher } from '../base/addresses.ts';
import { sha1OfJid } from '../base/owners.ts';
import type { Config } from '../config/load.ts';
import type { ExternalSettings } from '../http/external.ts';
import type { FileShareSettings } from '../http/file-share.ts';
import type { ProbeSettings } from '../http/probes.ts';
import type { SlotApiSettings } from '../http/slot-api.ts';
import type { OldPath } from '../ledger/contract.ts';
import { compileAccess, jidsNamedBy } from '../policy/access.ts';
import type { UploadRules } from '../uploads/deps.ts';
import { blobUrl } from '../uploads/links.ts';

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

export type Settings = ReturnType<typeof settingsOf>;

/** What a reload replaces, worked out once per config. */
export function settingsOf(config: Config) {
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

/** Who sends the files is settled at the start. */
export function withDeliveryOf({ downloads: { via, internal_prefix } }: Config, next: Config): Config {
  return { ...next, downloads: { ...next.downloads, via, internal_prefix } };
}

/** Of base URLs, where they have one: a web server in front may cut it off. */
export function pathsOf(urls: readonly (string | null | undefined)[]): string[] {
  const paths = urls.flatMap((url) => (url ? [new URL(url).pathname.replace(/\/+$/, '')] : []));
  return paths.filter((path) => path !== '');
}
