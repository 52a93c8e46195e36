import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { parseSize } from '../../base/units.ts';
import { assertSupportedFeatures, supportedFeatures } from '../../config/features.ts';
import type { Config } from '../../config/load.ts';
import {
  createDoctorReport,
  type DoctorReport,
  type Finding,
  type FindingState,
} from '../../doctor/report.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { openRuntime, type Runtime } from '../../server/runtime.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, formatErrorMessage } from '../lib/command-error.ts';
import { findConfigFile, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { requireExistingLedger } from '../lib/with-runtime.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
  readonly minFree?: number;
}

export function addDoctor(program: Command, shell: CommandContext): void {
  program
    .command('doctor')
    .summary('try the running system out, as its users do')
    .description(
      'Looks at config, stores and the XMPP server, then uploads, downloads and removes a file through public_url, and ' +
        'says what is wrong and how to mend it. Leaves nothing behind. Exit code 0, 1 where something failed, or 2.',
    )
    .option('--url <url>', 'the address that clients use, in place of public_url', readUrl)
    .option('--min-free <size>', 'room that must be free on the disks, such as 50 GiB', readSize)
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', formatExamples('porter doctor', 'porter doctor -c /etc/porter/porter.yml --json'))
    .action(async (options: Options, command: Command) => {
      const config = await loadCommandConfig(shell, command);
      assertSupportedFeatures(config, supportedFeatures);
      const notes = createDoctorReport((finding) => {
        if (!options.json) shell.stdout.write(`${lineOf(finding)}\n`);
      });
      noteConfig(notes, findConfigFile(shell, command), config);
      await examineHouse(notes, config, options);
      await conclude(shell, notes, options.json ?? false);
    });
}

function noteConfig(notes: DoctorReport, file: string | undefined, config: Config): void {
  notes.ok('config', file === undefined ? 'There is no file: the defaults hold.' : `${file} has no faults.`);
  for (const warning of config.warnings) notes.warn('config', warning);
}

async function examineHouse(notes: DoctorReport, config: Config, { url, minFree }: Options): Promise<void> {
  const runtime = await openOrNote(notes, config);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const services = runtime?.services;
    await runChecks(notes, { config, services, url, minFree, now: systemClock, signal: interrupted.signal });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await runtime?.close();
  }
}

async function openOrNote(notes: DoctorReport, config: Config): Promise<Runtime | undefined> {
  try {
    requireExistingLedger(config);
    return await openRuntime(config, createLog({ level: 'silent', format: 'json' }));
  } catch (fault) {
    notes.fail('stores', `They cannot be opened: ${formatErrorMessage(fault, '')}`);
    return undefined;
  }
}

const SIGNS: Record<FindingState, string> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skip: '-   ' };

function lineOf({ check, state, text }: Finding): string {
  return sanitizeForTerminal(`${SIGNS[state]}  ${check}: ${text}`);
}

async function conclude(shell: CommandContext, { findings }: DoctorReport, json: boolean): Promise<void> {
  const count = (state: FindingState) => findings.filter((finding) => finding.state === state).length;
  const failed = count('fail');
  if (json) await printJson(shell, { ok: failed === 0, findings });
  else if (failed === 0) {
    const warnings = count('warn');
    await printLine(shell.stdout, `\nAll well${warnings > 0 ? `, with ${warnings} to look at` : ''}.`);
  }
  if (failed > 0) throw new CommandError(`${failed} of ${findings.length} checks failed.`);
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('Give a URL such as https://upload.example.org.');
  }
  return url.href.replace(/\/+$/, '');
}

function readSize(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw new InvalidArgumentError('Give a size such as 500 MiB or 50 GiB.');
  return size;
}
