import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatSize, parsePeriod } from '../../base/units.ts';
import { type Config, loadConfig } from '../../config/load.ts';
import { openStores, type Stores } from '../../server/stores.ts';
import {
  cancelMigration,
  copyStorage,
  finishMigration,
} from '../../uploads/migrate-storage/migrate-storage.ts';
import type {
  MigrationContext,
  MigrationObserver,
  MigrationProblem,
  MigrationReport,
} from '../../uploads/migrate-storage/prepare.ts';
import { requireBlobOwner } from '../lib/blob-owner.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { type Progress, printJson, printLine, showProgress } from '../lib/output.ts';
import { requireExistingLedger } from '../lib/with-runtime.ts';

interface Options {
  readonly to: string;
  readonly finish?: boolean;
  readonly cancel?: boolean;
  readonly verify?: boolean;
  readonly wait: number;
  readonly json?: boolean;
}

/** Problems that are told one by one; beyond them only their number is. */
const TOLD = 1000;

export function addMove(program: Command, shell: CommandContext): void {
  program
    .command('move')
    .summary('carry ledger and files to another place')
    .description(
      'Carries ledger and files from the storage of this config to that of another, while the server goes on. Can be ' +
        'run again at any time, and after a kill. With --finish the old place is closed, the rest is carried, all is ' +
        'checked and the new place opens: then start the server with the other config.',
    )
    .requiredOption('--to <file>', 'the config of the new place; only its storage counts')
    .option('--finish', 'close the old place, carry the rest, open the new one')
    .option('--cancel', 'open the old place again after a --finish that was cut off')
    .option('--verify', 'compare every byte of every file, too')
    .addOption(
      new Option('--wait <period>', 'how long --finish lets uploads under way end')
        .argParser(readPeriod)
        .default(30_000, '30s'),
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter move --to new.yml', 'porter move --to new.yml --finish'))
    .action(async (options: Options, command: Command) => {
      if (options.finish && options.cancel) throw usageError('Give --finish or --cancel, not both.');
      const from = await loadCommandConfig(shell, command);
      const to = await loadConfig(resolve(shell.cwd, options.to), shell.env, options.to);
      requireExistingLedger(from);
      refuseSamePlace(from, to);
      await withBoth(from, to, (places) => run(shell, options, places));
    });
}

function refuseSamePlace({ storage: from }: Config, { storage: to }: Config): void {
  if (JSON.stringify(from.ledger) !== JSON.stringify(to.ledger)) return;
  throw usageError(
    'Both configs name the same ledger. A move needs another place for it, be it a file beside it.',
  );
}

type Places = Pick<MigrationContext, 'source' | 'target' | 'sharedBlobs'>;

async function withBoth(from: Config, to: Config, work: (places: Places) => Promise<void>): Promise<void> {
  const stores: Stores[] = [];
  try {
    const open = async (config: Config) => {
      const opened = await openStores(config);
      stores.push(opened);
      await requireBlobOwner(config);
      return opened;
    };
    const sharedBlobs = JSON.stringify(from.storage.blobs) === JSON.stringify(to.storage.blobs);
    await work({ source: await open(from), target: await open(to), sharedBlobs });
  } finally {
    for (const opened of stores) await opened.close();
  }
}

async function run(shell: CommandContext, options: Options, places: Places): Promise<void> {
  if (options.cancel) {
    await cancelMigration(places);
    await printLine(shell.stdout, 'The old place is open.');
    return;
  }
  const report: MigrationReport = { rows: 0, files: 0, bytes: 0, problems: 0 };
  const problems: MigrationProblem[] = [];
  const screen = progressOf(shell, problems);
  const stopped = stopSignal();
  const deps: MigrationContext = { ...places, observer: screen.tell, signal: stopped.signal };
  const compareBytes = options.verify ?? false;
  const drainTimeoutMs = options.wait;
  const order = options.finish
    ? finishMigration(deps, report, { compareBytes, drainTimeoutMs })
    : copyStorage(deps, report, { compareBytes });
  const moved = await order.finally(() => {
    screen.end();
    stopped.end();
  });
  await tell(shell, options, { report, problems, moved });
}

/** A signal ends the work between two batches, so that an old place that was closed is opened again. */
function stopSignal() {
  const stopping = new AbortController();
  const stop = () => stopping.abort(new CommandError('Stopped; run it again to go on.'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    signal: stopping.signal,
    end: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}

const TITLES = { carry: 'carried', close: 'carried, closed', check: 'checked', compare: 'compared' } as const;

/** A bar for each walk. */
function progressOf(
  shell: CommandContext,
  problems: MigrationProblem[],
): { readonly tell: MigrationObserver; end(): void } {
  let progress: Progress | undefined;
  return {
    tell: {
      onPass(what, uploads) {
        progress?.end();
        progress = showProgress(shell, { title: TITLES[what], total: uploads });
      },
      onProgress: (uploads, bytes) => progress?.update(uploads, `${formatSize(bytes)} copied`),
      onProblem: (problem) => void (problems.length < TOLD && problems.push(problem)),
    },
    end: () => progress?.end(),
  };
}

interface Outcome {
  readonly report: MigrationReport;
  readonly problems: readonly MigrationProblem[];
  readonly moved: boolean;
}

const WORDS = {
  missing: 'has no bytes in the old place',
  wrong_size: 'is not as long as the ledger says',
} as const;

async function tell(
  shell: CommandContext,
  options: Options,
  { report, problems, moved }: Outcome,
): Promise<void> {
  const finished = options.finish === true || !moved;
  if (options.json) return await printJson(shell, { ...report, finished, list: problems });
  for (const { id, kind } of problems) await printLine(shell.stderr, `${id} ${WORDS[kind]}`);
  for (const line of linesOf(options, report, moved)) await printLine(shell.stdout, line);
}

function linesOf(
  options: Options,
  { rows, files, bytes, problems }: MigrationReport,
  moved: boolean,
): string[] {
  if (!moved) return [`This move is finished: start Porter with ${options.to}.`];
  const lines = [`${files} files (${formatSize(bytes)}) and ${rows} rows carried`];
  if (problems > 0) lines.push(`${problems} files were broken before; porter fsck tells more`);
  if (!options.finish)
    return [...lines, 'The old place is in use as before; --finish carries what comes since, and switches.'];
  return [
    ...lines,
    'Both places have the same; the old one takes nothing any more.',
    `Start Porter with ${options.to} now.`,
  ];
}

function readPeriod(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) throw new InvalidArgumentError('Give a period such as 30s or 5m.');
  return period;
}
