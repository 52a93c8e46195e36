import type { Command } from 'commander';
import { formatSize } from '../../base/units.ts';
import { iterateOwners, type OwnerUsage } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printRows, type TableColumn } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Row extends OwnerUsage {
  /** Bytes that the owner's rule allows in all; null = no limit. */
  readonly quota: number | null;
  /** No rule lets the owner upload any more. */
  readonly denied: boolean;
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { title: 'OWNER', text: (row) => row.owner },
  { title: 'FILES', text: (row) => String(row.uploads), right: true },
  { title: 'SIZE', text: (row) => formatSize(row.bytes), right: true },
  { title: 'QUOTA', text: quotaText, right: true },
  { title: 'PENDING', text: (row) => String(row.pendingUploads), right: true },
  {
    title: 'LAST',
    text: (row) => (row.lastUploadAt === null ? '-' : new Date(row.lastUploadAt).toISOString()),
  },
];

export function addUsers(program: Command, shell: CommandContext): void {
  program
    .command('users')
    .summary('list who uses how much')
    .description('Lists everybody who has slots or files, with what they use and what their rule allows.')
    .option('--json', 'print a list of objects')
    .addHelpText('after', formatExamples('porter users'))
    .action(async (options: { json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps) => {
        await printRows(shell, rows(deps), COLUMNS, { json: options.json, none: 'Nobody has uploaded yet.' });
      });
    });
}

async function* rows(deps: UploadServices): AsyncGenerator<Row> {
  for await (const usage of iterateOwners(deps)) {
    const decision = deps.rules().access.decide(usage.owner);
    yield {
      ...usage,
      quota: decision.allowed ? decision.rule.max_total_size : null,
      denied: !decision.allowed,
    };
  }
}

function quotaText({ quota, denied }: Row): string {
  if (denied) return 'denied';
  return quota === null ? '-' : formatSize(quota);
}
