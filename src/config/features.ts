import { ConfigError, type ConfigProblem } from './config-error.ts';
import type { Config } from './load.ts';
import { findKeyLine } from './parse-yaml.ts';

/** Parts of Porter that a config can request, by their key. */
const requested = {
  component: (config: Config) => config.component.length > 0,
  slot_api: (config: Config) => config.slot_api !== null,
  external: (config: Config) => config.external !== null,
  file_share: (config: Config) => config.file_share !== null,
  messages: (config: Config) => config.messages !== null,
  web: (config: Config) => config.web !== null,
  workers: (config: Config) => config.workers > 1,
  'storage.blobs': (config: Config) => config.storage.blobs.kind === 's3',
  'storage.ledger': (config: Config) => config.storage.ledger.kind === 'postgres',
  'downloads.via': (config: Config) => config.downloads.via !== 'self',
} as const;

export type Feature = keyof typeof requested;

/** Returns the features that the config requests. */
export function requestedFeatures(config: Config): Feature[] {
  return (Object.keys(requested) as Feature[]).filter((feature) => requested[feature](config));
}

/** Returns a problem for each requested feature that is not in `built`. */
export function findUnsupportedFeatures(config: Config, built: ReadonlySet<Feature>): ConfigProblem[] {
  return requestedFeatures(config)
    .filter((feature) => !built.has(feature))
    .map((feature) => ({
      line: findKeyLine(config.lines, feature),
      key: feature,
      message: 'this version of Porter does not support it yet',
      hint: 'remove it from the config',
    }));
}

/** Throws a `ConfigError` if the config requests features that are not in `built`. */
export function assertSupportedFeatures(config: Config, built: ReadonlySet<Feature>): void {
  const problems = findUnsupportedFeatures(config, built);
  if (problems.length > 0) throw new ConfigError(config.file ?? 'the config', problems);
}

/** The features of this version. */
export const supportedFeatures: ReadonlySet<Feature> = new Set<Feature>([
  'component',
  'slot_api',
  'external',
  'file_share',
  'messages',
  'web',
  'workers',
  'storage.blobs',
  'storage.ledger',
  'downloads.via',
]);

/** Options that are read only at the start. */
const READ_ONCE = [
  'listen',
  'public_url',
  'download_url',
  'connections',
  'storage',
  'component',
  'workers',
  'thumbnails',
] as const;

/** Returns the options that differ and need a restart to take effect. */
export function findRestartOptions(before: Config, after: Config): string[] {
  const changed = READ_ONCE.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const paths = [
    before.slot_api?.path !== after.slot_api?.path && 'slot_api.path',
    before.external?.path !== after.external?.path && 'external.path',
    before.file_share?.path !== after.file_share?.path && 'file_share.path',
    ...(isAddedOrRemoved(before.messages, after.messages)
      ? ['messages' as const]
      : [
          before.messages?.path !== after.messages?.path && 'messages.path',
          before.messages?.rest_path !== after.messages?.rest_path && 'messages.rest_path',
          before.messages?.share_path !== after.messages?.share_path && 'messages.share_path',
        ]),
    before.web?.path !== after.web?.path && (isAddedOrRemoved(before.web, after.web) ? 'web' : 'web.path'),
    before.metrics.path !== after.metrics.path && 'metrics.path',
    before.log.format !== after.log.format && 'log.format',
    before.downloads.via !== after.downloads.via && 'downloads.via',
    before.downloads.internal_prefix !== after.downloads.internal_prefix && 'downloads.internal_prefix',
  ];
  return [...changed, ...paths.filter((key) => key !== false)];
}

const isAddedOrRemoved = (before: object | null, after: object | null) =>
  (before === null) !== (after === null);
