import { formatCount, formatSize } from '../../base/units.ts';
import type { FormField } from '../../stanza/data-form.ts';
import { readTotals } from '../../uploads/list.ts';
import type { AdHocCommand, AdHocContext, AdHocReply } from './ad-hoc-command.ts';

export const statistics: AdHocCommand = {
  node: 'statistics',
  name: 'Statistics',
  role: 'moderator',
  start: showStatistics,
};

async function showStatistics({ services }: AdHocContext): Promise<AdHocReply> {
  const { uploads, bytes, pendingUploads, pendingBytes, owners, removals, space } =
    await readTotals(services);
  const quota = services.rules().globalQuota;
  const field = (name: string, label: string, value: string): FormField => ({
    name,
    type: 'text-single',
    label,
    values: [value],
  });
  return {
    status: 'completed',
    notes: [
      {
        type: 'info',
        text: `${formatCount(uploads, 'file')}, ${formatSize(bytes)}, of ${formatCount(owners, 'user')}.`,
      },
    ],
    form: {
      text: { title: 'Statistics' },
      fields: [
        field('files', 'Files', String(uploads)),
        field('bytes', 'Size of all files', formatSize(bytes)),
        field('quota', 'Limit for all files', quota === null ? 'none' : formatSize(quota)),
        field('slots', 'Slots without a file yet', `${pendingUploads}, ${formatSize(pendingBytes)}`),
        field('users', 'Users', String(owners)),
        field('removed', 'Removed files on record', String(removals)),
        ...(space
          ? [field('disk', 'Disk', `${formatSize(space.free)} free of ${formatSize(space.total)}`)]
          : []),
      ],
    },
  };
}
