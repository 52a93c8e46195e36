import type { Command } from 'commander';
import { formatTimestamp } from '../../base/clock.ts';
import { formatSize } from '../../base/units.ts';
import { iterateOwners, type OwnerUsage } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printRows, type TableColumn } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Row extends OwnerUsage {
  /** `max_total_size` of the access rule, in bytes. Null if there is no limit. */
  readonly quota: number | null;
  /** `max_files` of the access rule. Null if there is no limit. */
  readonly maxFiles: number | null;
  /** True if the access rules no longer allow uploads. */
  readonly denied: boolean;
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { title: 'OWNER', text: (row) => row.owner },
  { title: 'FILES', text: formatFiles, right: true },
  { title: 'SIZE', text: (row) => formatSize(row.bytes), right: true },
  { title: 'QUOTA', text: formatQuota, right: true },
  { title: 'PENDING', text: (row) => String(row.pendingUploads), right: true },
  {
    title: 'LAST (UTC)',
    text: (row) => (row.lastUploadAt === null ? '-' : formatTimestamp(row.lastUploadAt)),
  },
];

export function addUsers(program: Command, context: CommandContext): void {
  program
    .command('users')
    .summary('list users with their usage')
    .description('Lists all users with slots or files: their usage and the limit of their access rule.')
    .option('--json', 'print a list of objects')
    .addHelpText('after', formatExamples('porter users'))
    .action(async (options: { json?: boolean }, command: Command) => {
      await withRuntime(context, command, async (services) => {
        await printRows(context, readRows(services), COLUMNS, {
          json: options.json,
          emptyText: 'There are no users with files yet.',
        });
      });
    });
}

async function* readRows(services: UploadServices): AsyncGenerator<Row> {
  for await (const usage of iterateOwners(services)) {
    const decision = services.rules().access.decide(usage.owner);
    yield {
      ...usage,
      quota: decision.allowed ? decision.rule.max_total_size : null,
      maxFiles: decision.allowed ? decision.rule.max_files : null,
      denied: !decision.allowed,
    };
  }
}

/** Formats the number of files: `20 of 100`, or `20` if the number is not limited. */
function formatFiles({ uploads, maxFiles }: Row): string {
  return maxFiles === null ? String(uploads) : `${uploads} of ${maxFiles}`;
}

function formatQuota({ quota, denied }: Row): string {
  if (denied) return 'denied';
  return quota === null ? '-' : formatSize(quota);
}
