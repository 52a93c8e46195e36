import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { bareJid } from '../base/jid.ts';
import { formatSize, parsePeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import type { Problem, Source } from '../uploads/import/found.ts';
import { countFiles, type ImportOptions, type ImportReport, importFiles } from '../uploads/import/import.ts';
import { knownPeople } from '../uploads/import/people.ts';
import { type SourceName, sources } from '../uploads/import/sources.ts';
import { CommandFailure, usageError } from './fail.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { jidsFrom } from './import-jids.ts';
import { printable, printJson, printLine, showProgress } from './output.ts';
import { refuseOtherUser } from './right-user.ts';
import type { Shell } from './shell.ts';

interface Options {
  readonly from: SourceName;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly basePath?: readonly string[];
  readonly owner?: readonly string[];
  readonly jids?: string;
  readonly records?: string;
  readonly door?: 'external' | 'file_share';
  readonly expireAfter?: number;
}

/** Problems that are told one by one; beyond them only their number is. */
const TOLD = 1000;

export function addImport(program: Command, shell: Shell): void {
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
        .choices(Object.keys(sources))
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
      example(
        'porter import --from prosody /var/lib/prosody --dry-run',
        'porter import --from ejabberd --jids accounts.txt /home/ejabberd/upload',
      ),
    )
    .action((folder: string, options: Options, command: Command) =>
      withHouse(shell, command, (deps, config) => runImport(shell, { folder, options, deps, config })),
    );
}

interface Order {
  readonly folder: string;
  readonly options: Options;
  readonly deps: UploadDeps;
  readonly config: Config;
}

async function runImport(shell: Shell, order: Order): Promise<void> {
  const { options, deps } = order;
  const source: Source = sources[options.from];
  if (options.records !== undefined && !source.takesRecords) {
    throw usageError(`--records says nothing about files of ${options.from}.`);
  }
  if (!options.dryRun) await refuseOtherUser(order.config);
  const basePaths = options.basePath ?? source.basePaths;
  const people = await knownPeople(jidsFrom(shell, deps, options));
  const problems: Problem[] = [];
  const read = {
    source,
    folder: await folderOf(resolve(shell.folder, order.folder)),
    people,
    records: options.records && resolve(shell.folder, options.records),
  };
  const progress = showProgress(shell, { title: 'imported', total: await countFiles(read) });
  const report = await importFiles(deps, {
    ...read,
    basePaths,
    namespace: options.door ?? doorOf(order.config, source, basePaths),
    nobody: `import:${options.from}`,
    expireAfter: options.expireAfter ?? null,
    dryRun: options.dryRun ?? false,
    problem: (problem) => void (problems.length < TOLD && problems.push(problem)),
    progress: (so) => progress.update(so.files, formatSize(so.bytes)),
  }).finally(() => progress.end());
  await tell(shell, options, basePaths, report, problems);
}

/** A door of the config at the same path goes before what usually takes the service's place. */
function doorOf(config: Config, source: Source, basePaths: readonly string[]): ImportOptions['namespace'] {
  if (config.external && basePaths.includes(config.external.path)) return 'external';
  if (config.file_share && basePaths.includes(config.file_share.path)) return 'file_share';
  return source.door;
}

async function folderOf(path: string): Promise<string> {
  const folder = await realpath(path).catch(() => undefined);
  if (folder === undefined || !(await stat(folder)).isDirectory()) {
    throw usageError(`There is no folder ${path}.`);
  }
  return folder;
}

async function tell(
  shell: Shell,
  options: Options,
  basePaths: readonly string[],
  report: ImportReport,
  problems: readonly Problem[],
): Promise<void> {
  const dryRun = options.dryRun ?? false;
  if (options.json) {
    await printJson(shell, { ...report, dryRun, basePaths, list: problems });
  } else {
    for (const { file, problem } of problems) await printLine(shell.err, `${printable(file)}: ${problem}`);
    for (const line of linesOf(report, dryRun, basePaths)) await printLine(shell.out, line);
  }
  if (report.problems > 0) {
    throw new CommandFailure(
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
  const jid = bareJid(text);
  if (jid === undefined) throw new InvalidArgumentError('That is no JID.');
  return [...jids, jid];
}

function readPeriod(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) throw new InvalidArgumentError('Give a period such as 12h or 30d.');
  return period;
}
