import type { Config } from './load.ts';

/** Options that are read once, at the start. */
const READ_ONCE = ['listen', 'public_url', 'download_url', 'storage', 'component', 'workers'] as const;

/** The options that differ and take a restart. */
export function findRestartOptions(before: Config, after: Config): string[] {
  const changed = READ_ONCE.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const paths = [
    before.slot_api?.path !== after.slot_api?.path && 'slot_api.path',
    before.external?.path !== after.external?.path && 'external.path',
    before.file_share?.path !== after.file_share?.path && 'file_share.path',
    before.messages?.path !== after.messages?.path && 'messages.path',
    before.messages?.rest_path !== after.messages?.rest_path && 'messages.rest_path',
    before.metrics.path !== after.metrics.path && 'metrics.path',
    before.downloads.via !== after.downloads.via && 'downloads.via',
    before.downloads.internal_prefix !== after.downloads.internal_prefix && 'downloads.internal_prefix',
  ];
  return [...changed, ...paths.filter((key) => key !== false)];
}
