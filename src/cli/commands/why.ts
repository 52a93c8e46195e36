import type { Command } from 'commander';
import { formatDateTime } from '../../base/clock.ts';
import { formatPeriod, formatSize } from '../../base/units.ts';
import type { Removal, Upload } from '../../base/upload-records.ts';
import type { AccessRule } from '../../policy/access.ts';
import { type Explanation, explain } from '../../uploads/explain.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addWhy(program: Command, context: CommandContext): void {
  program
    .command('why')
    .summary('explain which rule applies, or what happened to a file')
    .description(
      'For a JID: prints the access rule that applies, and the usage. For a link or an id: prints what happened to the file.',
    )
    .argument('<target>', 'a link, an id, or a JID')
    .option('--json', 'print the explanation as JSON')
    .addHelpText(
      'after',
      formatExamples('porter why romeo@example.org', 'porter why https://upload.example.org/files/…'),
    )
    .action(async (target: string, options: { json?: boolean }, command: Command) => {
      await withRuntime(context, command, async (services, config) => {
        const explanation = await explain(services, target);
        if (options.json) await printJson(context, explanation);
        else if (explanation.about !== 'unknown') {
          const lines = formatExplanation(explanation, services.clock(), config.lines);
          await printLine(context.stdout, lines.map(sanitizeForTerminal).join('\n'));
        }
        if (explanation.about === 'unknown') {
          throw new CommandError(
            `Nothing found for ${sanitizeForTerminal(target)}: it is not a JID, and there is no record of such a link or id. ` +
              'porter uploads lists all ids.',
          );
        }
      });
    });
}

function formatExplanation(
  explanation: Exclude<Explanation, { about: 'unknown' }>,
  now: number,
  configLines: Readonly<Record<string, number>>,
): string[] {
  switch (explanation.about) {
    case 'owner':
      return formatOwner(explanation, configLines);
    case 'upload':
      return formatUpload(explanation.upload, explanation.endsAt, now);
    case 'removal':
      return formatRemoval(explanation.removal);
  }
}

function formatOwner(
  { owner, decision, usage }: Extract<Explanation, { about: 'owner' }>,
  configLines: Readonly<Record<string, number>>,
): string[] {
  const used = `Usage: ${usage.uploads} files, ${formatSize(usage.bytes)}, and ${usage.pendingUploads} pending slots.`;
  if (decision.index === null) return [`${owner} may not upload: no access rule matches.`, used];
  const line = configLines[`access[${decision.index}]`];
  const rule = `access rule ${decision.index + 1}${line === undefined ? '' : ` (line ${line})`}`;
  if (!decision.allowed) return [`${owner} may not upload: ${rule} denies it.`, used];
  return [`${owner} may upload: ${rule} applies.`, ...formatLimits(decision.rule), used];
}

function formatLimits(rule: AccessRule): string[] {
  const lines = [
    rule.max_file_size !== null && `  at most ${formatSize(rule.max_file_size)} per file`,
    rule.max_total_size !== null && `  at most ${formatSize(rule.max_total_size)} in total`,
    rule.bytes_per &&
      `  at most ${formatSize(rule.bytes_per.bytes)} in ${formatPeriod(rule.bytes_per.period)}`,
    rule.uploads_per &&
      `  at most ${rule.uploads_per.uploads} files in ${formatPeriod(rule.uploads_per.period)}`,
    rule.allowed_types && `  only ${rule.allowed_types.join(', ')}`,
    rule.when_full === 'evict' && '  the oldest files are removed to make space',
  ].filter((line) => typeof line === 'string');
  return lines.length > 0 ? lines : ['  without limits'];
}

function formatUpload(upload: Upload, endsAt: number | null, now: number): string[] {
  const title = `"${upload.name}" of ${upload.owner}, ${formatSize(upload.size)}, ${upload.type}`;
  const granted = `The slot was granted ${formatDateTime(upload.createdAt)}.`;
  if (upload.state === 'receiving') return [title, granted, 'The file is being uploaded now.'];
  if (upload.state === 'issued') {
    const leftMs = upload.deadline - now;
    return [
      title,
      granted,
      leftMs > 0
        ? `The slot is valid for another ${formatPeriod(leftMs)}.`
        : 'The slot expired without an upload.',
    ];
  }
  const stored = `It was stored ${formatDateTime(upload.storedAt ?? upload.createdAt)}.`;
  if (endsAt === null) return [title, stored, 'It never expires.'];
  const end = formatDateTime(endsAt);
  return [
    title,
    stored,
    endsAt > now ? `It expires ${end}.` : `It expired ${end}; the next sweep removes it.`,
  ];
}

const REASONS: Record<Removal['reason'], string> = {
  unused: 'Its slot expired without an upload, and the quota was returned',
  expired: 'It expired',
  soft_quota: 'Its owner exceeded the soft quota',
  evicted: 'It was removed to make space for a newer file of its owner',
  deleted: 'It was deleted',
  forgotten: 'All data of its owner was removed',
  missing: 'Its bytes were missing from the storage',
};

function formatRemoval(removal: Removal): string[] {
  const title =
    removal.name === '' ? 'A file' : `"${removal.name}" of ${removal.owner}, ${formatSize(removal.size)}`;
  const detail = removal.detail === '' ? '' : ` (${removal.detail})`;
  return [title, `${REASONS[removal.reason]}${detail}: removed ${formatDateTime(removal.removedAt)}.`];
}
