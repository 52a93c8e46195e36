import { open, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import {
  countFiles,
  type ImportOptions,
  type ImportReport,
  importUploads,
} from '../../uploads/import/import-uploads.ts';
import { createOwnerLookup } from '../../uploads/import/owner-lookup.ts';
import type { ImportProblem, ImportSource, SourceOptions } from '../../uploads/import/source.ts';
import { type ImportSourceName, importSources } from '../../uploads/import/sources.ts';
import { iterateOwners } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { requireBlobOwner } from '../lib/blob-owner.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { parseJidOption, parsePeriodOption } from '../lib/options.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Options {
  readonly from: ImportSourceName;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly basePath?: readonly string[];
  readonly owner?: readonly string[];
  readonly jids?: string;
  readonly records?: string;
  readonly endpoint?: 'external' | 'file_share';
  readonly expireAfter?: number;
}

/** At most this many problems are listed; the report has the full count. */
const MAX_LISTED_PROBLEMS = 1000;

const ENDPOINTS = ['external', 'file_share'] as const;

export function addImport(program: Command, context: CommandContext): void {
  program
    .command('import')
    .summary('import the files of another upload service')
    .description(
      'Imports the files of another upload service and keeps their old links working. Uses hard links where possible, ' +
        'else copies. The other service keeps its files. Can be repeated, and can run beside a server.',
    )
    .argument('<dir>', 'the folder of the other service')
    .addOption(
      new Option('--from <service>', 'the other service')
        .choices(Object.keys(importSources))
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'only count the files')
    .option(
      '--base-path <path>',
      "the path at which old links begin, if it is not the service's default (repeatable)",
      addBasePath,
    )
    .option(
      '--owner <jid>',
      'a user who may have files there, for services that store hashes of JIDs (repeatable)',
      addJid,
    )
    .option('--jids <file>', 'a file with such users, one JID per line')
    .option('--records <file>', 'output of manage.py dumpdata, for django-http-upload')
    .addOption(
      new Option('--endpoint <name>', 'the endpoint of Porter that replaces the other service').choices(
        ENDPOINTS,
      ),
    )
    .option(
      '--expire-after <period>',
      'how long after their upload the files expire, such as 90d',
      parsePeriodOption,
    )
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      formatExamples(
        'porter import --from prosody /var/lib/prosody --dry-run',
        'porter import --from ejabberd --jids accounts.txt /home/ejabberd/upload',
      ),
    )
    .action((folder: string, options: Options, command: Command) =>
      withRuntime(
        context,
        command,
        (services, config) => runImport(context, { folder, options, services, config }),
        { writes: !options.dryRun },
      ),
    );
}

interface ImportRun {
  readonly folder: string;
  readonly options: Options;
  readonly services: UploadServices;
  readonly config: Config;
}

async function runImport(
  context: CommandContext,
  { folder, options, services, config }: ImportRun,
): Promise<void> {
  const source: ImportSource = importSources[options.from];
  if (options.records !== undefined && !source.takesRecords) {
    throw usageError(`--records cannot be used with --from ${options.from}. Leave it out.`);
  }
  if (!options.dryRun) await requireBlobOwner(config);
  const basePaths = options.basePath ?? source.basePaths;
  const problems: ImportProblem[] = [];
  const sourceOptions = {
    source,
    folder: await resolveFolder(resolve(context.cwd, folder)),
    owners: await createOwnerLookup(candidateJids(context, services, options)),
    records: options.records && resolve(context.cwd, options.records),
  };
  const total = await countFiles(sourceOptions);
  // Checked before anything is written, so that a wrong folder adds no old paths.
  if (total.files === total.problems) await throwEmpty(context, options, sourceOptions);
  const progress = showProgress(context, { title: 'checked', total: total.files });
  const report = await importUploads(services, {
    ...sourceOptions,
    basePaths,
    namespace: options.endpoint ?? findEndpoint(config, source, basePaths),
    fallbackOwner: `import:${options.from}`,
    expireAfterMs: options.expireAfter ?? null,
    dryRun: options.dryRun ?? false,
    onProblem: (problem) => void (problems.length < MAX_LISTED_PROBLEMS && problems.push(problem)),
    onProgress: ({ files, bytes }) => progress.update(files, formatSize(bytes)),
  }).finally(() => progress.end());
  await printReport(context, options, basePaths, report, problems);
}

/** Prints the problems of the files, and throws an error because no file can be imported. */
async function throwEmpty(
  context: CommandContext,
  { from }: Options,
  sourceOptions: SourceOptions & { readonly source: ImportSource },
): Promise<never> {
  const { source, folder } = sourceOptions;
  for await (const found of source.files(sourceOptions)) {
    if ('problem' in found)
      await printLine(context.stderr, `${sanitizeForTerminal(found.file)}: ${found.problem}`);
  }
  throw new CommandError(`No files of ${from} found in ${folder}. Give ${source.layout}.`);
}

/** Returns the JIDs to which a hash of the other service may belong: from options, the config, and the owners in the ledger. */
async function* candidateJids(
  context: CommandContext,
  services: UploadServices,
  { owner = [], jids }: Options,
): AsyncGenerator<string> {
  yield* owner;
  if (jids !== undefined) {
    const file = await open(resolve(context.cwd, jids));
    for await (const line of file.readLines()) yield line.trim();
  }
  yield* services.rules().jidsBySha1?.values() ?? [];
  for await (const usage of iterateOwners(services)) yield usage.owner;
}

/** Returns the endpoint that is configured at one of the base paths, else the usual endpoint of the source. */
function findEndpoint(
  config: Config,
  source: ImportSource,
  basePaths: readonly string[],
): ImportOptions['namespace'] {
  if (config.external && basePaths.includes(config.external.path)) return 'external';
  if (config.file_share && basePaths.includes(config.file_share.path)) return 'file_share';
  return source.endpoint;
}

async function resolveFolder(path: string): Promise<string> {
  const folder = await realpath(path).catch(() => undefined);
  if (folder === undefined || !(await stat(folder)).isDirectory()) {
    throw usageError(`No such folder: ${path}. Give the folder where the other service keeps its files.`);
  }
  return folder;
}

async function printReport(
  context: CommandContext,
  options: Options,
  basePaths: readonly string[],
  report: ImportReport,
  problems: readonly ImportProblem[],
): Promise<void> {
  const dryRun = options.dryRun ?? false;
  if (options.json) {
    await printJson(context, { ...report, dryRun, basePaths, list: problems });
  } else {
    for (const { file, problem } of problems) {
      await printLine(context.stderr, `${sanitizeForTerminal(file)}: ${problem}`);
    }
    for (const line of formatReport(report, dryRun, basePaths)) await printLine(context.stdout, line);
  }
  if (report.problems > 0) {
    const number = formatCount(report.problems, 'file');
    throw new CommandError(
      `${number} cannot be imported; the ${options.json ? 'report has the reasons' : 'reasons are above'}. The other files are not affected.`,
    );
  }
}

function formatReport(report: ImportReport, dryRun: boolean, basePaths: readonly string[]): string[] {
  const { files, imported, importedBytes, linked, already, removed, expired, problems } = report;
  const details = dryRun ? '' : `, ${linked} of them as hard ${linked === 1 ? 'link' : 'links'}`;
  return [
    `${formatCount(files, 'file')} found:`,
    `  ${imported} ${dryRun ? 'would be imported' : 'imported'} (${formatSize(importedBytes)}${details})`,
    already > 0 && `  ${already} imported before`,
    removed > 0 && `  ${removed} skipped, because Porter has already removed them`,
    expired > 0 &&
      `  ${expired} skipped, because they are older than retention.max_age; raise it to keep them`,
    problems > 0 && `  ${problems} with a problem`,
    imported + already > 0 && `Old links below ${basePaths.join(', ')} ${dryRun ? 'would work' : 'work'}.`,
  ].filter((line) => line !== false);
}

/** Adds a base path, which may be given as `https://host/upload/`, `/upload/` or `upload`. */
function addBasePath(text: string, paths: readonly string[] = []): string[] {
  const path = URL.canParse(text) ? new URL(text).pathname : text;
  try {
    return [...paths, decodeURIComponent(`/${path}/`.replace(/\/+/g, '/'))];
  } catch {
    throw new InvalidArgumentError('Give the path of a URL, such as /upload/.');
  }
}

function addJid(text: string, jids: readonly string[] = []): string[] {
  return [...jids, parseJidOption(text)];
}
