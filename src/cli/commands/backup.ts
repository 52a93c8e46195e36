import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { syncFile, syncFolder } from '../../base/durable-folder.ts';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import { backUpLedger, openBackup, sealSqliteFile, storeLocations } from '../../server/stores.ts';
import { type BackupReport, backUpFiles } from '../../uploads/backup/back-up-files.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { requireOpenLedger, requireWritableStores } from '../../uploads/store-identity/join-stores.ts';
import { filesFolderOf } from '../lib/backup-files.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Options {
  readonly withFiles?: boolean;
  readonly json?: boolean;
}

export function addBackup(program: Command, context: CommandContext): void {
  program
    .command('backup')
    .summary('back up the database and the files')
    .description(
      'Writes a consistent copy of the database to a new file, while the server runs. Works for SQLite and PostgreSQL; ' +
        'the copy is always an SQLite file. With --with-files, also copies the stored files to the folder ' +
        'FILE.files. porter restore reads both.',
    )
    .argument('<file>', 'the file to write; it must not exist')
    .option('--with-files', 'copy the stored files too')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter backup /backup/porter-$(date +%F).db --with-files'))
    .action(async (file: string, options: Options, command: Command) => {
      await withRuntime(context, command, (services, config) =>
        runBackup(context, { file: resolve(context.cwd, file), options, services, config }),
      );
    });
}

interface BackupRun {
  readonly file: string;
  readonly options: Options;
  readonly services: UploadServices;
  readonly config: Config;
}

async function runBackup(context: CommandContext, run: BackupRun): Promise<void> {
  const { file, options, services, config } = run;
  if (existsSync(file)) throw usageError(`${file} exists already. Give another name.`);
  if (options.withFiles) await requireWritableStores(services, storeLocations(config));
  else await requireOpenLedger(services);
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.part`;
  await removeLedgerFile(part);
  // The file is created before SQLite opens it, so that only this user can read it: it has the JIDs of all users.
  await writeFile(part, '', { mode: 0o600 });
  await backUpLedger(config, await services.ledger.storeIdentity(), part);
  const files = options.withFiles ? await copyFiles(context, run, part) : undefined;
  sealSqliteFile(part);
  await syncFile(part);
  await rename(part, file);
  syncFolder(dirname(file));
  await printReport(context, run, files);
}

/** Removes the files of an interrupted backup. */
async function removeLedgerFile(file: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(`${file}${suffix}`, { force: true });
}

async function copyFiles(
  context: CommandContext,
  { file, services }: BackupRun,
  part: string,
): Promise<BackupReport> {
  const folder = filesFolderOf(file);
  const target = await openBackup(part, folder);
  await chmod(folder, 0o700);
  try {
    if (target.blobs === undefined) throw new Error('The backup has no folder.');
    const { uploads } = await target.ledger.stats();
    const progress = showProgress(context, { title: 'copied', total: uploads });
    return await backUpFiles({
      source: services,
      target: { ledger: target.ledger, blobs: target.blobs },
      clock: services.clock,
      onProblem: ({ id }) =>
        void context.stderr.write(`${id}: the file is missing or has another size than the database\n`),
      onProgress: (report) => progress.update(report.files, formatSize(report.bytes)),
    }).finally(() => progress.end());
  } finally {
    await target.close();
  }
}

async function printReport(
  context: CommandContext,
  { file, options, services, config }: BackupRun,
  files: BackupReport | undefined,
): Promise<void> {
  const { uploads } = await services.ledger.stats();
  if (options.json) await printJson(context, { file, files: files ?? null });
  else {
    await printLine(context.stdout, `The database is backed up to ${file}.`);
    await printLine(context.stdout, describeFiles(file, uploads, config, files));
  }
  if (files !== undefined && files.problems > 0) {
    throw new CommandError(
      `${formatCount(files.problems, 'file')} ${files.problems === 1 ? 'is' : 'are'} missing or damaged, and not in the backup. porter fsck lists them.`,
    );
  }
}

function describeFiles(
  file: string,
  uploads: number,
  config: Config,
  files: BackupReport | undefined,
): string {
  if (files)
    return `Copied to ${filesFolderOf(file)}: ${formatCount(files.files, 'file')} (${formatSize(files.bytes)}).`;
  const { blobs } = storeLocations(config);
  return `The backup does not contain the files: now back up the folder or bucket ${blobs} (${formatCount(uploads, 'file')}), or use --with-files.`;
}
