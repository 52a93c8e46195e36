import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { openStores, type Stores } from '../app/stores.ts';
import { formatSize, parsePeriod } from '../base/units.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { cancel, copy, finish } from '../uploads/move/move.ts';
import type { MoveDeps, MoveReport, Problem, Tell } from '../uploads/move/places.ts';
import { configOf } from './config-file.ts';
import { CommandFailure, usageError } from './fail.ts';
import { example } from './help.ts';
import { refuseEmptyHouse } from './house.ts';
import { type Progress, printJson, printLine, showProgress } from './output.ts';
import { refuseOtherUser } from './right-user.ts';
import type { Shell } from './shell.ts';

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

export function addMove(program: Command, shell: Shell): void {
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
    .addHelpText('after', example('porter move --to new.yml', 'porter move --to new.yml --finish'))
    .action(async (options: Options, command: Command) => {
      if (options.finish && options.cancel) throw usageError('Give --finish or --cancel, not both.');
      const from = await configOf(shell, command);
      const to = await loadConfig(resolve(shell.folder, options.to), shell.env, options.to);
      refuseEmptyHouse(from);
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

type Places = Pick<MoveDeps, 'from' | 'to' | 'oneStore'>;

async function withBoth(from: Config, to: Config, work: (places: Places) => Promise<void>): Promise<void> {
  const stores: Stores[] = [];
  try {
    const open = async (config: Config) => {
      const opened = await openStores(config);
      stores.push(opened);
      await refuseOtherUser(config);
      return opened;
    };
    const oneStore = JSON.stringify(from.storage.blobs) === JSON.stringify(to.storage.blobs);
    await work({ from: await open(from), to: await open(to), oneStore });
  } finally {
    for (const opened of stores) await opened.close();
  }
}

async function run(shell: Shell, options: Options, places: Places): Promise<void> {
  if (options.cancel) {
    await cancel(places);
    await printLine(shell.out, 'The old place is open.');
    return;
  }
  const report: MoveReport = { rows: 0, files: 0, bytes: 0, problems: 0 };
  const problems: Problem[] = [];
  const screen = progressOf(shell, problems);
  const stopped = stopSignal();
  const deps: MoveDeps = { ...places, tell: screen.tell, signal: stopped.signal };
  const compare = options.verify ?? false;
  const patience = options.wait;
  const order = options.finish
    ? finish(deps, report, { compare, patience })
    : copy(deps, report, { compare });
  const moved = await order.finally(() => {
    screen.end();
    stopped.end();
  });
  await tell(shell, options, { report, problems, moved });
}

/** A signal ends the work between two batches, so that an old place that was closed is opened again. */
function stopSignal() {
  const stopping = new AbortController();
  const stop = () => stopping.abort(new CommandFailure('Stopped; run it again to go on.'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    signal: stopping.signal,
    end: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}

const TITLES = { carry: 'carried', close: 'carried, closed', check: 'checked', compare: 'compared' } as const;

/** A bar for each walk. */
function progressOf(shell: Shell, problems: Problem[]): { readonly tell: Tell; end(): void } {
  let progress: Progress | undefined;
  return {
    tell: {
      pass(what, uploads) {
        progress?.end();
        progress = showProgress(shell, { title: TITLES[what], total: uploads });
      },
      progress: (uploads, bytes) => progress?.update(uploads, `${formatSize(bytes)} copied`),
      problem: (problem) => void (problems.length < TOLD && problems.push(problem)),
    },
    end: () => progress?.end(),
  };
}

interface Outcome {
  readonly report: MoveReport;
  readonly problems: readonly Problem[];
  readonly moved: boolean;
}

const WORDS = {
  missing: 'has no bytes in the old place',
  wrong_size: 'is not as long as the ledger says',
} as const;

async function tell(shell: Shell, options: Options, { report, problems, moved }: Outcome): Promise<void> {
  const finished = options.finish === true || !moved;
  if (options.json) return await printJson(shell, { ...report, finished, list: problems });
  for (const { id, kind } of problems) await printLine(shell.err, `${id} ${WORDS[kind]}`);
  for (const line of linesOf(options, report, moved)) await printLine(shell.out, line);
}

function linesOf(options: Options, { rows, files, bytes, problems }: MoveReport, moved: boolean): string[] {
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
