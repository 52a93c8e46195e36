import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import { type Config, loadConfig } from '../../config/load.ts';
import { openStores, type Stores, storeLocations } from '../../server/stores.ts';
import {
  cancelMigration,
  copyStorage,
  finishMigration,
} from '../../uploads/migrate-storage/migrate-storage.ts';
import type {
  MigrationContext,
  MigrationProblem,
  MigrationReport,
} from '../../uploads/migrate-storage/prepare.ts';
import { requireWritableStores } from '../../uploads/store-identity/join-stores.ts';
import { requireBlobOwner } from '../lib/blob-owner.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { MigrationDisplay } from '../lib/migration-display.ts';
import { parsePeriodOption } from '../lib/options.ts';
import { printJson, printLine } from '../lib/output.ts';
import { withStopSignal } from '../lib/signals.ts';
import { requireExistingLedger } from '../lib/with-runtime.ts';

interface Options {
  readonly to: string;
  readonly finish?: boolean;
  readonly cancel?: boolean;
  readonly verify?: boolean;
  readonly wait: number;
  readonly json?: boolean;
}

export function addMove(program: Command, context: CommandContext): void {
  program
    .command('move')
    .summary('move database and files to another storage')
    .description(
      'Copies database and files from the storage of this config to the storage of another config, while the server ' +
        'runs. Can be repeated at any time, also after an interruption. With --finish it closes the old storage, copies ' +
        'the rest, verifies everything and opens the new storage. Then start the server with the other config.',
    )
    .requiredOption('--to <file>', 'the config with the new storage; its other options are not used')
    .option('--finish', 'close the old storage, copy the rest, open the new storage')
    .option('--cancel', 'open the old storage again after an interrupted --finish')
    .option('--verify', 'also compare the bytes of all files')
    .addOption(
      new Option('--wait <period>', 'how long --finish waits for running uploads')
        .argParser(parsePeriodOption)
        .default(30_000, '30s'),
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter move --to new.yml', 'porter move --to new.yml --finish'))
    .action(async (options: Options, command: Command) => {
      if (options.finish && options.cancel) throw usageError('Give either --finish or --cancel.');
      const from = await loadCommandConfig(context, command);
      const to = await loadConfig(resolve(context.cwd, options.to), context.env, options.to);
      requireExistingLedger(from);
      requireDifferentLedgers(from, to);
      await withBothStorages(from, to, (storages) => run(context, options, storages));
    });
}

function requireDifferentLedgers({ storage: from }: Config, { storage: to }: Config): void {
  if (JSON.stringify(from.ledger) !== JSON.stringify(to.ledger)) return;
  throw usageError(
    'Both configs name the same database. Set storage.ledger of the new config to another file or database.',
  );
}

type Storages = Pick<MigrationContext, 'source' | 'target' | 'sharedBlobs' | 'targetLocations'>;

async function withBothStorages(
  from: Config,
  to: Config,
  work: (storages: Storages) => Promise<void>,
): Promise<void> {
  const opened: Stores[] = [];
  const open = async (config: Config) => {
    const stores = await openStores(config);
    opened.push(stores);
    await requireBlobOwner(config);
    return stores;
  };
  try {
    const source = await open(from);
    const target = await open(to);
    // In other states, an earlier run has checked the source, and a shared file store may already belong to the target.
    if ((await source.ledger.migrationState()) === 'open')
      await requireWritableStores(source, storeLocations(from));
    const sharedBlobs = await isSameBlobStore(from.storage.blobs, to.storage.blobs);
    await work({ source, target, sharedBlobs, targetLocations: storeLocations(to) });
  } finally {
    for (const stores of opened) await stores.close();
  }
}

/** Returns true if both are the same store, also if one folder has two paths. */
async function isSameBlobStore(
  from: Config['storage']['blobs'],
  to: Config['storage']['blobs'],
): Promise<boolean> {
  if (from.kind !== 'folder' || to.kind !== 'folder') return JSON.stringify(from) === JSON.stringify(to);
  const [one, other] = await Promise.all([stat(from.path), stat(to.path)]);
  return one.dev === other.dev && one.ino === other.ino;
}

async function run(context: CommandContext, options: Options, storages: Storages): Promise<void> {
  if (options.cancel) {
    await cancelMigration(storages);
    await printLine(context.stdout, 'The old storage is open again.');
    return;
  }
  const report: MigrationReport = { rows: 0, files: 0, bytes: 0, problems: 0 };
  const display = new MigrationDisplay(context, 'copied');
  const compareBytes = options.verify ?? false;
  // The signal takes effect between two batches. An interrupted --finish then opens the old storage again.
  const interrupted = new CommandError('Interrupted. Run the command again to continue.');
  const moved = await withStopSignal(interrupted, (signal) => {
    const migration: MigrationContext = { ...storages, observer: display, signal };
    return options.finish
      ? finishMigration(migration, report, { compareBytes, drainTimeoutMs: options.wait })
      : copyStorage(migration, report, { compareBytes });
  }).finally(() => display.end());
  await printReport(context, options, { report, problems: display.problems, moved });
}

interface Outcome {
  readonly report: MigrationReport;
  readonly problems: readonly MigrationProblem[];
  /** False if an earlier run has finished the move. */
  readonly moved: boolean;
}

const PROBLEM_TEXTS = {
  missing: 'the file is missing in the old storage',
  wrong_size: 'the size of the file differs from the database',
} as const;

async function printReport(
  context: CommandContext,
  options: Options,
  { report, problems, moved }: Outcome,
): Promise<void> {
  const finished = options.finish === true || !moved;
  if (options.json) return await printJson(context, { ...report, finished, list: problems });
  for (const { id, kind } of problems) await printLine(context.stderr, `${id}: ${PROBLEM_TEXTS[kind]}`);
  for (const line of formatReport(options, report, moved)) await printLine(context.stdout, line);
}

function formatReport(
  options: Options,
  { rows, files, bytes, problems }: MigrationReport,
  moved: boolean,
): string[] {
  if (!moved) return [`This move is finished already. Start Porter with ${options.to}.`];
  const lines = [
    `${formatCount(files, 'file')} (${formatSize(bytes)}) and ${formatCount(rows, 'row')} of the database copied`,
  ];
  if (problems > 0)
    lines.push(
      `${formatCount(problems, 'file')} ${problems === 1 ? 'was' : 'were'} damaged before the move; porter fsck lists ${problems === 1 ? 'it' : 'them'}`,
    );
  if (!options.finish) {
    return [...lines, 'The old storage stays in use. Run with --finish to copy later changes and to switch.'];
  }
  return [
    ...lines,
    'Both storages have the same content. The old one is closed.',
    `Start Porter with ${options.to} now.`,
  ];
}
