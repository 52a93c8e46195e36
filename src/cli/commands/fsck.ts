import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { formatMoment } from '../../base/clock.ts';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import { storeLocations } from '../../server/stores.ts';
import type { FsckFault } from '../../uploads/fsck/faults.ts';
import { type FsckReport, fsck } from '../../uploads/fsck/fsck.ts';
import { StaleLedgerError, TooManyRepairsError } from '../../uploads/fsck/repair-limit.ts';
import { readTotals } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { rejoinStores, requireOpenLedger } from '../../uploads/store-identity/join-stores.ts';
import { describeSample, storeIdentityError } from '../../uploads/store-identity/store-identity-error.ts';
import { readStoreState } from '../../uploads/store-identity/store-state.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
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
        'leftovers of interrupted uploads, and wrong quota counters. Exit code 1 if faults remain. Can run beside a server. ' +
        'With --rejoin, accepts a file store that has lost its id or has another one, for example after a restore.',
    )
    .option('--repair', 'repair the faults; deletes no bytes, but moves files to lost+found')
    .option(
      '--rejoin',
      'join the database to this file store, after showing both ids and a sample of the files',
    )
    .option('--force', 'repair more than 10 % of all files; rejoin without asking')
    .option('--json', 'print faults and totals as JSON')
    .addHelpText('after', formatExamples('porter fsck', 'porter fsck --repair', 'porter fsck --rejoin'))
    .action(async (options: Options, command: Command) => {
      if (options.rejoin && options.repair) {
        throw usageError('Give either --rejoin or --repair. Run porter fsck between the two.');
      }
      const run = options.rejoin ? rejoin : check;
      const writes = options.repair ?? false;
      await withRuntime(context, command, (services, config) => run(context, options, services, config), {
        writes,
      });
    });
}

interface Options {
  readonly repair?: boolean;
  readonly rejoin?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function check(
  context: CommandContext,
  { repair = false, force = false, json = false }: Options,
  services: UploadServices,
  config: Config,
): Promise<void> {
  await requireComparableStores(services, config);
  const faults: FsckFault[] = [];
  const { uploads } = await readTotals(services);
  const progress = showProgress(context, { title: 'checked', total: uploads });
  const report = await fsck(services, {
    repair,
    force,
    onFault: (fault) => {
      if (!json) context.stdout.write(`${formatFault(fault, services.clock())}\n`);
      else if (faults.length < MAX_LISTED_FAULTS) faults.push(fault);
    },
    onProgress: (checked) => progress.update(checked.uploads, formatCount(checked.blobs, 'blob')),
  })
    .catch((error) => {
      const isExpected = error instanceof TooManyRepairsError || error instanceof StaleLedgerError;
      throw isExpected ? new CommandError(error.message) : error;
    })
    .finally(() => progress.end());
  if (json) await printJson(context, { ...report, repaired: repair, list: faults });
  else await printLine(context.stdout, formatSummary(report, repair));
  if (report.left === 0) return;
  throw new CommandError(
    repair
      ? `${formatCount(report.left, 'fault')} ${report.left === 1 ? 'remains' : 'remain'}: files that the storage does not delete. Remove the cause, then run: porter fsck --repair`
      : `${formatCount(report.left, 'fault')} found. Run: porter fsck --repair`,
  );
}

/** Throws if the file store belongs to another database: then every file would be a fault. */
async function requireComparableStores(services: UploadServices, config: Config): Promise<void> {
  const state = await readStoreState(services);
  if (state.kind === 'same' || state.kind === 'new' || state.kind === 'from_before') return;
  // After a move, the old database may be compared with a file store that it shared.
  if ((await services.ledger.migrationState()) !== 'open') return;
  throw storeIdentityError(state, storeLocations(config));
}

async function rejoin(
  context: CommandContext,
  { force = false }: Options,
  services: UploadServices,
  config: Config,
): Promise<void> {
  await requireOpenLedger(services);
  const state = await readStoreState(services);
  if (state.kind === 'same') {
    await printLine(context.stdout, 'The database and the file store belong together already.');
    return;
  }
  const { ledger, blobs } = storeLocations(config);
  await printLine(context.stdout, `Database: ${ledger}, id ${state.ledgerId ?? 'none'}`);
  await printLine(context.stdout, `File store: ${blobs}, id ${state.storeId ?? 'none'}`);
  await printLine(context.stdout, describeSample(state.sample));
  if (!force && !(await confirm(context))) {
    throw new CommandError('Nothing was changed. To join them without a question, add --force.');
  }
  await rejoinStores(services);
  await printLine(
    context.stdout,
    'The database and the file store now belong together. Any other database can no longer use this file store. ' +
      'Run porter fsck, and restart running servers.',
  );
}

/** Asks for a confirmation on the terminal. Returns false if there is no terminal. */
async function confirm({ stdin, stderr }: CommandContext): Promise<boolean> {
  if (!stdin?.isTTY) return false;
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    return /^y(es)?$/i.test((await lines.question('Join them? [y/N] ')).trim());
  } finally {
    lines.close();
  }
}

function formatFault(fault: FsckFault, now: number): string {
  switch (fault.kind) {
    case 'missing':
      return `missing: the file of ${fault.id} ("${sanitizeForTerminal(fault.name)}" of ${sanitizeForTerminal(fault.owner)}) is not in the storage`;
    case 'wrong_size':
      return `wrong size: the file of ${fault.id} ("${sanitizeForTerminal(fault.name)}" of ${sanitizeForTerminal(fault.owner)}) has ${fault.found} bytes, the database says ${fault.expected}${formatMove(fault)}`;
    case 'orphan':
      return `orphan: ${sanitizeForTerminal(fault.key)}, ${formatSize(fault.size)}, belongs to no upload${formatMove(fault)}`;
    case 'wrong_count':
      return `wrong count: the quota counters of ${sanitizeForTerminal(fault.owner)} do not match the uploads`;
    case 'wrong_totals':
      return 'wrong totals: the totals of the service do not match the counters of all users';
    case 'undeletable':
      return `undeletable: ${sanitizeForTerminal(fault.blob)} of a removed file is still stored after ${formatCount(fault.attempts, 'attempt')}, next ${formatMoment(fault.retryAt, now)}: ${sanitizeForTerminal(fault.reason)}`;
  }
}

function formatMove({ movedTo }: { readonly movedTo?: string }): string {
  return movedTo === undefined ? '' : `; moved to ${sanitizeForTerminal(movedTo)}`;
}

function formatSummary({ uploads, blobs, faults, left }: FsckReport, repaired: boolean): string {
  const repairs = left === 0 ? ', repaired' : `, ${faults - left} repaired`;
  const result = faults === 0 ? 'no faults' : `${formatCount(faults, 'fault')}${repaired ? repairs : ''}`;
  return `${formatCount(uploads, 'upload')} in the database, ${formatCount(blobs, 'stored file')}: ${result}.`;
}
