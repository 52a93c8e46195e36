import type { Command } from 'commander';
import { formatSize } from '../base/units.ts';
import { type Fault, type FsckReport, fsck } from '../uploads/fsck.ts';
import { totals } from '../uploads/list.ts';
import { CommandFailure } from './fail.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { printable, printJson, printLine, showProgress } from './output.ts';
import type { Shell } from './shell.ts';

/** Faults that `--json` lists one by one; beyond them only their number is told. */
const LISTED = 10_000;

export function addFsck(program: Command, shell: Shell): void {
  program
    .command('fsck')
    .summary('hold the ledger against the blobs')
    .description(
      'Finds files that are missing, left over or of the wrong size, leftovers of broken uploads, and wrong counters. ' +
        'Exit code 1 where faults remain. Safe beside a server.',
    )
    .option('--repair', 'mend what is found')
    .option('--json', 'print faults and totals as JSON')
    .addHelpText('after', example('porter fsck', 'porter fsck --repair'))
    .action(async (options: { repair?: boolean; json?: boolean }, command: Command) => {
      await withHouse(shell, command, async (deps) => {
        const repair = options.repair ?? false;
        const faults: Fault[] = [];
        const { uploads } = await totals(deps);
        const progress = showProgress(shell, { title: 'checked', total: uploads });
        const report = await fsck(deps, {
          repair,
          found: (fault) => {
            if (!options.json) shell.out.write(`${sentence(fault)}\n`);
            else if (faults.length < LISTED) faults.push(fault);
          },
          progress: (so) => progress.update(so.uploads, `${so.blobs} blobs`),
        }).finally(() => progress.end());
        if (options.json) await printJson(shell, { ...report, repaired: repair, list: faults });
        else await printLine(shell.out, summary(report, repair));
        if (report.faults > 0 && !repair) {
          throw new CommandFailure(`${report.faults} faults; porter fsck --repair mends them.`);
        }
      });
    });
}

function sentence(fault: Fault): string {
  switch (fault.kind) {
    case 'missing':
      return `missing: ${fault.id} "${printable(fault.name)}" of ${printable(fault.owner)} has no bytes`;
    case 'wrong_size':
      return `wrong size: ${fault.id} has ${fault.found} bytes in place of ${fault.expected}`;
    case 'orphan':
      return `left over: ${printable(fault.key)}, ${formatSize(fault.size)}, belongs to nobody`;
    case 'wrong_count':
      return `wrong count: the counters of ${printable(fault.owner)} are off`;
  }
}

function summary({ uploads, blobs, faults }: FsckReport, repaired: boolean): string {
  const found = faults === 0 ? 'all well' : `${faults} faults${repaired ? ', mended' : ''}`;
  return `${uploads} files in the ledger, ${blobs} blobs: ${found}.`;
}
