import type { Command } from 'commander';
import { formatSize } from '../../base/units.ts';
import { type FsckFault, type FsckReport, fsck } from '../../uploads/fsck.ts';
import { readTotals } from '../../uploads/list.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal, showProgress } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

/** Faults that `--json` lists one by one; beyond them only their number is told. */
const LISTED = 10_000;

export function addFsck(program: Command, shell: CommandContext): void {
  program
    .command('fsck')
    .summary('hold the ledger against the blobs')
    .description(
      'Finds files that are missing, left over or of the wrong size, leftovers of broken uploads, and wrong counters. ' +
        'Exit code 1 where faults remain. Safe beside a server.',
    )
    .option('--repair', 'mend what is found')
    .option('--json', 'print faults and totals as JSON')
    .addHelpText('after', formatExamples('porter fsck', 'porter fsck --repair'))
    .action(async (options: { repair?: boolean; json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps) => {
        const repair = options.repair ?? false;
        const faults: FsckFault[] = [];
        const { uploads } = await readTotals(deps);
        const progress = showProgress(shell, { title: 'checked', total: uploads });
        const report = await fsck(deps, {
          repair,
          onFault: (fault) => {
            if (!options.json) shell.stdout.write(`${sentence(fault)}\n`);
            else if (faults.length < LISTED) faults.push(fault);
          },
          onProgress: (so) => progress.update(so.uploads, `${so.blobs} blobs`),
        }).finally(() => progress.end());
        if (options.json) await printJson(shell, { ...report, repaired: repair, list: faults });
        else await printLine(shell.stdout, summary(report, repair));
        if (report.faults > 0 && !repair) {
          throw new CommandError(`${report.faults} faults; porter fsck --repair mends them.`);
        }
      });
    });
}

function sentence(fault: FsckFault): string {
  switch (fault.kind) {
    case 'missing':
      return `missing: ${fault.id} "${sanitizeForTerminal(fault.name)}" of ${sanitizeForTerminal(fault.owner)} has no bytes`;
    case 'wrong_size':
      return `wrong size: ${fault.id} has ${fault.found} bytes in place of ${fault.expected}`;
    case 'orphan':
      return `left over: ${sanitizeForTerminal(fault.key)}, ${formatSize(fault.size)}, belongs to nobody`;
    case 'wrong_count':
      return `wrong count: the counters of ${sanitizeForTerminal(fault.owner)} are off`;
  }
}

function summary({ uploads, blobs, faults }: FsckReport, repaired: boolean): string {
  const found = faults === 0 ? 'all well' : `${faults} faults${repaired ? ', mended' : ''}`;
  return `${uploads} files in the ledger, ${blobs} blobs: ${found}.`;
}
