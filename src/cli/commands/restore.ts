import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import {
  assertIntactLedger,
  type BackupStores,
  openBackup,
  openStores,
  type Stores,
  storeLocations,
} from '../../server/stores.ts';
import { restoreBackup } from '../../uploads/backup/restore.ts';
import type { MigrationReport } from '../../uploads/migrate-storage/prepare.ts';
import { filesFolderOf } from '../lib/backup-files.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { MigrationDisplay } from '../lib/migration-display.ts';
import { printJson, printLine } from '../lib/output.ts';
import { withStopSignal } from '../lib/signals.ts';

interface Options {
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addRestore(program: Command, context: CommandContext): void {
  program
    .command('restore')
    .summary('restore a backup')
    .description(
      'Restores a file of porter backup into the empty database of the config (SQLite or PostgreSQL), and the files of ' +
        'FILE.files, if that folder exists, into the empty file store (folder or S3). Compares everything with the ' +
        'backup. Stop the server first. Can be repeated after an interruption.',
    )
    .argument('<file>', 'a file that porter backup has written')
    .option('--force', 'restore the database even if the file store is not the one of the backup')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter restore /backup/porter-2026-01-31.db'))
    .action(async (file: string, options: Options, command: Command) => {
      const config = await loadCommandConfig(context, command);
      const path = resolve(context.cwd, file);
      await withBackup(path, async (backup) => {
        const stores = await openStores(config);
        try {
          await run(context, { file: path, options, config, backup, stores });
        } finally {
          await stores.close();
        }
      });
    });
}

/** Opens a copy of the backup, because the restore changes it, and an older backup is migrated first. */
async function withBackup(file: string, work: (backup: BackupStores) => Promise<void>): Promise<void> {
  if (!existsSync(file))
    throw new CommandError(`No such file: ${file}. Give a file that porter backup has written.`);
  if (existsSync(`${file}-wal`)) {
    throw new CommandError(
      `${file} is in use or was not closed: it has a write-ahead log, ${file}-wal. ` +
        'Give a file that porter backup has written.',
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'porter-restore-'));
  try {
    const copy = join(folder, 'porter.db');
    await copyFile(file, copy);
    assertIntactLedger(copy);
    const files = filesFolderOf(file);
    const backup = await openBackup(copy, existsSync(files) ? files : undefined);
    try {
      await work(backup);
    } finally {
      await backup.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface RestoreRun {
  readonly file: string;
  readonly options: Options;
  readonly config: Config;
  readonly backup: BackupStores;
  readonly stores: Stores;
}

async function run(
  context: CommandContext,
  { file, options, config, backup, stores }: RestoreRun,
): Promise<void> {
  const display = new MigrationDisplay(context, 'restored');
  const interrupted = new CommandError('Interrupted. Run the command again to continue.');
  const report = await withStopSignal(interrupted, (signal) =>
    restoreBackup({
      backup,
      target: stores,
      locations: storeLocations(config),
      force: options.force ?? false,
      observer: display,
      signal,
    }),
  ).finally(() => display.end());
  const { uploads } = await stores.ledger.stats();
  const missing = display.problems.length;
  if (options.json) await printJson(context, { ...report, uploads, list: display.problems });
  else for (const line of formatReport(file, uploads, report, backup)) await printLine(context.stdout, line);
  if (missing > 0) {
    throw new CommandError(
      `${formatCount(report.problems, 'file')} ${report.problems === 1 ? 'was' : 'were'} missing or damaged in the backup. porter fsck lists them.`,
    );
  }
}

function formatReport(
  file: string,
  uploads: number,
  { files, bytes }: MigrationReport,
  { blobs }: BackupStores,
): string[] {
  return [
    `The database of ${file} is restored: it lists ${formatCount(uploads, 'file')}.`,
    blobs
      ? `Restored and compared with the backup: ${formatCount(files, 'file')} (${formatSize(bytes)}).`
      : 'The backup has no files. Run porter fsck: it compares the database with the stored files.',
    'Start Porter now.',
  ];
}
