import type { Command } from 'commander';
import { formatCount, formatSize } from '../../../base/units.ts';
import {
  deleteQuarantined,
  iterateQuarantine,
  releaseQuarantined,
} from '../../../uploads/content/quarantine.ts';
import type { UploadServices } from '../../../uploads/services.ts';
import type { CommandContext } from '../../lib/command-context.ts';
import { formatExamples } from '../../lib/help.ts';
import { printLine, printRows, sanitizeForTerminal } from '../../lib/output.ts';
import { withRuntime } from '../../lib/with-runtime.ts';
import { recordCommand } from './audit.ts';

interface Options {
  readonly release?: string;
  readonly delete?: readonly string[];
  readonly json?: boolean;
}

export function addQuarantine(program: Command, context: CommandContext): void {
  program
    .command('quarantine')
    .summary('list, release or delete infected files')
    .description(
      'Lists the files in which the virus scanner has found malware. Their uploads were refused, and their links do not work.',
    )
    .option('--release <id>', 'store this file under the link of its owner, if the scanner was wrong')
    .option('--delete <id...>', 'delete these files')
    .option('--json', 'print the list as JSON')
    .addHelpText('after', formatExamples('porter quarantine --release 5v1hq0cmvd0zjmf7w8h8k6f6ra'))
    .action(async (options: Options, command: Command) => {
      const writes = options.release !== undefined || options.delete !== undefined;
      await withRuntime(context, command, (services) => manage(context, services, options), { writes });
    });
}

async function manage(context: CommandContext, services: UploadServices, options: Options): Promise<void> {
  const actor = 'porter quarantine';
  if (options.release !== undefined) {
    const { id, owner, name, size: bytes } = await releaseQuarantined(services, options.release);
    await recordCommand(services, { actor, action: 'release_infected', subject: owner, files: 1, bytes });
    await printLine(
      context.stdout,
      `${id} released: ${sanitizeForTerminal(name)} of ${sanitizeForTerminal(owner)}`,
    );
  }
  if (options.delete !== undefined) {
    const files = await deleteQuarantined(services, options.delete);
    await recordCommand(services, { actor, action: 'delete_infected', subject: 'several', files, bytes: 0 });
    await printLine(context.stdout, `${formatCount(files, 'infected file')} deleted`);
  }
  if (options.release === undefined && options.delete === undefined)
    await listInfected(context, services, options);
}

async function listInfected(
  context: CommandContext,
  services: UploadServices,
  { json }: Options,
): Promise<void> {
  await printRows(
    context,
    toRows(services),
    [
      { title: 'ID', text: ({ id }) => id },
      { title: 'OWNER', text: ({ owner }) => owner },
      { title: 'FOUND', text: ({ foundAt }) => foundAt },
      { title: 'SIGNATURE', text: ({ signature }) => signature },
      { title: 'SIZE', text: ({ size }) => formatSize(size), right: true },
      { title: 'NAME', text: ({ name }) => name },
    ],
    { json, emptyText: 'No infected files.' },
  );
}

async function* toRows(services: UploadServices) {
  for await (const { blob, locator: _locator, foundAt, purgeAt, ...file } of iterateQuarantine(services)) {
    yield {
      ...file,
      foundAt: new Date(foundAt).toISOString(),
      purgeAt: new Date(purgeAt).toISOString(),
      hasContent: blob !== null,
    };
  }
}
