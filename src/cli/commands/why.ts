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

export function addWhy(program: Command, shell: CommandContext): void {
  program
    .command('why')
    .summary('which rule decides, what became of a file')
    .description(
      'For a JID: which access rule decides, and what it uses. For a link or an id: what became of it.',
    )
    .argument('<target>', 'a link, an id, or a JID')
    .option('--json', 'print the story as JSON')
    .addHelpText(
      'after',
      formatExamples('porter why romeo@example.org', 'porter why https://upload.example.org/files/…'),
    )
    .action(async (target: string, options: { json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps, config) => {
        const story = await explain(deps, target);
        if (options.json) await printJson(shell, story);
        else if (story.about !== 'nothing') {
          await printLine(
            shell.stdout,
            tell(story, deps.clock(), config.lines).map(sanitizeForTerminal).join('\n'),
          );
        }
        if (story.about === 'nothing') {
          throw new CommandError(
            `Nothing is known of ${sanitizeForTerminal(target)}: no JID, and no link or id on record.`,
          );
        }
      });
    });
}

type Known = Exclude<Explanation, { about: 'nothing' }>;

function tell(story: Known, now: number, lines: Readonly<Record<string, number>>): string[] {
  switch (story.about) {
    case 'owner':
      return tellOwner(story, lines);
    case 'upload':
      return tellUpload(story.upload, story.endsAt, now);
    case 'removal':
      return tellRemoval(story.removal);
  }
}

function tellOwner(
  { owner, decision, usage }: Extract<Explanation, { about: 'owner' }>,
  lines: Readonly<Record<string, number>>,
): string[] {
  const { index } = decision;
  const line = index === null ? undefined : lines[`access[${index}]`];
  const rule = index === null ? '' : `access rule ${index + 1}${line === undefined ? '' : ` (line ${line})`}`;
  const uses = `It has ${usage.uploads} files, ${formatSize(usage.bytes)}, and ${usage.pendingUploads} pending slots.`;
  if (decision.index === null) return [`${owner} may not upload: no access rule matches.`, uses];
  if (!decision.allowed) return [`${owner} may not upload: ${rule} denies it.`, uses];
  return [`${owner} may upload: ${rule} decides.`, ...limitLines(decision.rule), uses];
}

function limitLines(rule: AccessRule): string[] {
  const lines = [
    rule.max_file_size !== null && `  at most ${formatSize(rule.max_file_size)} a file`,
    rule.max_total_size !== null && `  at most ${formatSize(rule.max_total_size)} in all`,
    rule.bytes_per &&
      `  at most ${formatSize(rule.bytes_per.bytes)} in ${formatPeriod(rule.bytes_per.period)}`,
    rule.uploads_per &&
      `  at most ${rule.uploads_per.uploads} files in ${formatPeriod(rule.uploads_per.period)}`,
    rule.allowed_types && `  only ${rule.allowed_types.join(', ')}`,
    rule.when_full === 'evict' && '  the oldest files make room',
  ].filter((line) => typeof line === 'string');
  return lines.length > 0 ? lines : ['  without limits'];
}

function tellUpload(upload: Upload, endsAt: number | null, now: number): string[] {
  const what = `"${upload.name}" of ${upload.owner}, ${formatSize(upload.size)}, ${upload.type}`;
  const asked = `The slot was granted ${formatDateTime(upload.createdAt)}.`;
  if (upload.state === 'receiving') return [what, asked, 'It is being uploaded now.'];
  if (upload.state === 'issued') {
    const left = upload.deadline - now;
    const wait =
      left > 0 ? `It waits for its upload for another ${formatPeriod(left)}.` : 'Its time passed unused.';
    return [what, asked, wait];
  }
  const end =
    endsAt === null
      ? 'It is kept for ever.'
      : endsAt > now
        ? `It expires ${formatDateTime(endsAt)}.`
        : `It expired ${formatDateTime(endsAt)}; the next sweep removes it.`;
  return [what, `It was stored ${formatDateTime(upload.storedAt ?? upload.createdAt)}.`, end];
}

const REASONS: Record<Removal['reason'], string> = {
  unused: 'Its slot was never used, and its quota was given back',
  expired: 'It expired',
  soft_quota: 'Its owner had more than the soft quota',
  evicted: 'It made room for a newer file of its owner',
  deleted: 'It was deleted',
  forgotten: 'Its owner was forgotten',
  missing: 'Its bytes were lost',
};

function tellRemoval(removal: Removal): string[] {
  const name =
    removal.name === '' ? 'A file' : `"${removal.name}" of ${removal.owner}, ${formatSize(removal.size)}`;
  const detail = removal.detail === '' ? '' : ` (${removal.detail})`;
  return [name, `${REASONS[removal.reason]}${detail}: removed ${formatDateTime(removal.removedAt)}.`];
}
