import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseBareJid } from '../../base/jid.ts';
import { formatSize, parsePeriod } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import {
  countFiles,
  type ImportOptions,
  type ImportReport,
  importUploads,
} from '../../uploads/import/import-uploads.ts';
import { createOwnerLookup } from '../../uploads/import/owner-lookup.ts';
import type { ImportProblem, ImportSource } from '../../uploads/import/source.ts';
import { type ImportSourceName, importSources } from '../../uploads/import/sources.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { requireBlobOwner } from '../lib/blob-owner.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { candidateJids } from '../lib/import-jids.ts';
import { printJson, printLine, sanitizeForTerminal, showProgress } from '../lib/output.ts';
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

/** Problems that are told one by one; beyond them only their number is. */
const TOLD = 1000;

export function addImport(program: Command, shell: CommandContext): void {
  program
    .command('import')
    .summary("take over another service's files")
    .description(
      "Takes over another service's files so that their old links keep working: as hard links where that is " +
        'possible, else as copies. The other service keeps its own. Can be run again, and beside a server.',
    )
    .argument('<dir>', "the other service's folder")
    .addOption(
      new Option('--from <service>', 'whose files they are')
        .choices(Object.keys(importSources))
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'look and count, and change nothing')
    .option(
      '--base-path <path>',
      'where old links begin, if not where they usually do (again for more)',
      addPath,
    )
    .option('--owner <jid>', 'somebody whom the folder may mean by a hash (again for more)', addJid)
    .option('--jids <file>', 'the same, one JID a line')
    .option('--records <file>', "what manage.py dumpdata prints of django's uploads")
    .addOption(
      new Option('--door <door>', 'the door that takes the place of the service').choices([
        'external',
        'file_share',
      ]),
    )
    .option('--expire-after <period>', 'how long after their upload files end, such as 90d', readPeriod)
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      formatExamples(
        'porter import --from prosody /var/lib/prosody --dry-run',
        'porter import --from ejabberd --jids accounts.txt /home/ejabberd/upload',
      ),
    )
    .action((folder: string, options: Options, command: Command) =>
      withRuntime(shell, command, (deps, config) => runImport(shell, { folder, options, deps, config })),
    );
}

interface Order {
  readonly folder: string;
  readonly options: Options;
  readonly deps: UploadServices;
  readonly config: Config;
}

async function runImport(shell: CommandContext, order: Order): Promise<void> {
  const { options, deps } = order;
  const source: ImportSource = importSources[options.from];
  if (options.records !== undefined && !source.takesRecords) {
    throw usageError(`--records says nothing about files of ${options.from}.`);
  }
  if (!options.dryRun) await requireBlobOwner(order.config);
  const basePaths = options.basePath ?? source.basePaths;
  const owners = await createOwnerLookup(candidateJids(shell, deps, options));
  const problems: ImportProblem[] = [];
  const read = {
    source,
    folder: await folderOf(resolve(shell.cwd, order.folder)),
    owners,
    records: options.records && resolve(shell.cwd, options.records),
  };
  const progress = showProgress(shell, { title: 'imported', total: await countFiles(read) });
  const report = await importUploads(deps, {
    ...read,
    basePaths,
    namespace: options.endpoint ?? doorOf(order.config, source, basePaths),
    fallbackOwner: `import:${options.from}`,
    expireAfterMs: options.expireAfter ?? null,
    dryRun: options.dryRun ?? false,
    onProblem: (problem) => void (problems.length < TOLD && problems.push(problem)),
    onProgress: (so) => progress.update(so.files, formatSize(so.bytes)),
  }).finally(() => progress.end());
  await tell(shell, options, basePaths, report, problems);
}

/** A door of the config at the same path goes before what usually takes the service's place. */
function doorOf(
  config: Config,
  source: ImportSource,
  basePaths: readonly string[],
): ImportOptions['namespace'] {
  if (config.external && basePaths.includes(config.external.path)) return 'external';
  if (config.file_share && basePaths.includes(config.file_share.path)) return 'file_share';
  return source.endpoint;
}

async function folderOf(path: string): Promise<string> {
  const folder = await realpath(path).catch(() => undefined);
  if (folder === undefined || !(await stat(folder)).isDirectory()) {
    throw usageError(`There is no folder ${path}.`);
  }
  return folder;
}

async function tell(
  shell: CommandContext,
  options: Options,
  basePaths: readonly string[],
  report: ImportReport,
  problems: readonly ImportProblem[],
): Promise<void> {
  const dryRun = options.dryRun ?? false;
  if (options.json) {
    await printJson(shell, { ...report, dryRun, basePaths, list: problems });
  } else {
    for (const { file, problem } of problems)
      await printLine(shell.stderr, `${sanitizeForTerminal(file)}: ${problem}`);
    for (const line of linesOf(report, dryRun, basePaths)) await printLine(shell.stdout, line);
  }
  if (report.problems > 0) {
    throw new CommandError(
      `${report.problems} files could not be taken over; the rest is ${dryRun ? 'fine' : 'here'}.`,
    );
  }
}

function linesOf(report: ImportReport, dryRun: boolean, basePaths: readonly string[]): string[] {
  const { imported, importedBytes, linked, already, removed, expired } = report;
  const how = dryRun ? '' : `, ${linked} of them without a copy`;
  return [
    `${imported} files ${dryRun ? 'would be imported' : 'imported'} (${formatSize(importedBytes)}${how})`,
    already > 0 && `${already} were here already`,
    removed > 0 && `${removed} left out: they were deleted here before`,
    expired > 0 && `${expired} left out: older than retention.max_age allows; raise it to keep them`,
    imported + already > 0 && `Old links below ${basePaths.join(', ')} ${dryRun ? 'would work' : 'work'}.`,
  ].filter((line) => line !== false);
}

/** `https://host/upload/`, `/upload/` and `upload` are the same. */
function addPath(text: string, paths: readonly string[] = []): string[] {
  const path = URL.canParse(text) ? new URL(text).pathname : text;
  try {
    return [...paths, decodeURIComponent(`/${path}/`.replace(/\/+/g, '/'))];
  } catch {
    throw new InvalidArgumentError('That is no path of a URL.');
  }
}

function addJid(text: string, jids: readonly string[] = []): string[] {
  const jid = parseBareJid(text);
  if (jid === undefined) throw new InvalidArgumentError('That is no JID.');
  return [...jids, jid];
}

function readPeriod(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) throw new InvalidArgumentError('Give a period such as 12h or 30d.');
  return period;
}
