import type { Config } from './load.ts';

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

/** Returns true if only one of the two configs has the section. */
const isAddedOrRemoved = (before: object | null, after: object | null) =>
  (before === null) !== (after === null);
