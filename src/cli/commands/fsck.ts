import type { Command } from 'commander';
import { formatSize } from '../../base/units.ts';
import { type FsckFault, type FsckReport, fsck } from '../../uploads/fsck.ts';
import { readTotals } from '../../uploads/list.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';
import { withRuntime } from '../lib/with-runtime.ts';

/** `--json` lists at most this many faults; the report has the full count. */
const MAX_LISTED_FAULTS = 10_000;

export function addFsck(program: Command, context: CommandContext): void {
  program
    .command('fsck')
    .summary('check the database against the stored files')
    .description(
      'Checks the database against the stored files. Finds missing files, files of the wrong size, orphaned files, ' +
        'leftovers of interrupted uploads, and wrong quota counters. Exit code 1 if faults remain. Can run beside a server.',
    )
    .option('--repair', 'repair the faults')
    .option('--json', 'print faults and totals as JSON')
    .addHelpText('after', formatExamples('porter fsck', 'porter fsck --repair'))
    .action(async (options: { repair?: boolean; json?: boolean }, command: Command) => {
      await withRuntime(context, command, async (services) => {
        const repair = options.repair ?? false;
        const faults: FsckFault[] = [];
        const { uploads } = await readTotals(services);
        const progress = showProgress(context, { title: 'checked', total: uploads });
        const report = await fsck(services, {
          repair,
          onFault: (fault) => {
            if (!options.json) context.stdout.write(`${formatFault(fault)}\n`);
            else if (faults.length < MAX_LISTED_FAULTS) faults.push(fault);
          },
          onProgress: (checked) => progress.update(checked.uploads, `${checked.blobs} blobs`),
        }).finally(() => progress.end());
        if (options.json) await printJson(context, { ...report, repaired: repair, list: faults });
        else await printLine(context.stdout, formatSummary(report, repair));
        if (report.faults > 0 && !repair) {
          throw new CommandError(`${report.faults} faults found. Run: porter fsck --repair`);
        }
      });
    });
}

function formatFault(fault: FsckFault): string {
  switch (fault.kind) {
    case 'missing':
      return `missing: the file of ${fault.id} ("${sanitizeForTerminal(fault.name)}" of ${sanitizeForTerminal(fault.owner)}) is not in the storage`;
    case 'wrong_size':
      return `wrong size: the file of ${fault.id} has ${fault.found} bytes, the database says ${fault.expected}`;
    case 'orphan':
      return `orphan: ${sanitizeForTerminal(fault.key)}, ${formatSize(fault.size)}, belongs to no upload`;
    case 'wrong_count':
      return `wrong count: the quota counters of ${sanitizeForTerminal(fault.owner)} do not match the uploads`;
  }
}

function formatSummary({ uploads, blobs, faults }: FsckReport, repaired: boolean): string {
  const result = faults === 0 ? 'no faults' : `${faults} faults${repaired ? ', repaired' : ''}`;
  return `${uploads} uploads in the database, ${blobs} stored files: ${result}.`;
}
