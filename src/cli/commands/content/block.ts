import type { Command } from 'commander';
import { formatCount, formatSize } from '../../../base/units.ts';
import { blockFile, iterateBlocked } from '../../../uploads/content/block.ts';
import type { UploadServices } from '../../../uploads/services.ts';
import type { CommandContext } from '../../lib/command-context.ts';
import { formatExamples } from '../../lib/help.ts';
import { printJson, printLine, printRows } from '../../lib/output.ts';
import { withRuntime } from '../../lib/with-runtime.ts';
import { recordCommand } from './audit.ts';

interface Options {
  readonly reason: string;
  readonly removeCopies?: boolean;
  readonly json?: boolean;
}

export function addBlock(program: Command, context: CommandContext): void {
  program
    .command('block')
    .summary('refuse a file by its content')
    .description(
      'Blocks a file by its SHA-256: the same bytes cannot be uploaded again under any name. Without a file, lists the blocked files.',
    )
    .argument('[file]', 'an id, a download link, or a SHA-256 in hex')
    .option('--reason <text>', 'the reason, which the list shows', '')
    .option('--remove-copies', 'also delete all stored files with this content')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      formatExamples(
        'porter block --remove-copies --reason spam https://upload.example.org/files/5v1hq0cmvd0zjmf7w8h8k6f6ra/a.jpg',
      ),
    )
    .action(async (file: string | undefined, options: Options, command: Command) => {
      const work = (services: UploadServices) =>
        file === undefined
          ? listBlocked(context, services, options)
          : block(context, services, file, options);
      await withRuntime(context, command, work, { writes: file !== undefined });
    });
}

async function block(
  context: CommandContext,
  services: UploadServices,
  target: string,
  { reason, removeCopies = false, json = false }: Options,
): Promise<void> {
  const by = 'porter block';
  const { hash, isNew, removed, bytes } = await blockFile(services, { target, reason, by, removeCopies });
  await recordCommand(services, {
    actor: by,
    action: 'block_file',
    subject: hash.sha256,
    files: removed,
    bytes,
  });
  if (json) return await printJson(context, { ...toJson(hash), removed, bytes });
  await printLine(context.stdout, `${hash.sha256} ${isNew ? 'blocked' : 'was blocked before'}`);
  if (removeCopies)
    await printLine(
      context.stdout,
      `${formatCount(removed, 'copy', 'copies')} deleted, ${formatSize(bytes)}`,
    );
}

async function listBlocked(
  context: CommandContext,
  services: UploadServices,
  { json }: Options,
): Promise<void> {
  const rows = mapRows(iterateBlocked(services), toJson);
  await printRows(
    context,
    rows,
    [
      { title: 'SHA-256', text: ({ sha256 }) => sha256 },
      { title: 'SIZE', text: ({ size }) => (size === null ? '' : formatSize(size)), right: true },
      { title: 'BLOCKED', text: ({ blockedAt }) => blockedAt },
      { title: 'BY', text: ({ blockedBy }) => blockedBy },
      { title: 'REASON', text: ({ reason }) => reason },
    ],
    { json, emptyText: 'No file is blocked.' },
  );
}

async function* mapRows<A, B>(rows: AsyncIterable<A>, change: (row: A) => B): AsyncGenerator<B, void> {
  for await (const row of rows) yield change(row);
}

function toJson<H extends { readonly blockedAt: number }>(hash: H) {
  return { ...hash, blockedAt: new Date(hash.blockedAt).toISOString() };
}
