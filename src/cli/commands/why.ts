import type { Command } from 'commander';
import { createLinkFormatter } from '../../server/file-links.ts';
import { type Explanation, explain } from '../../uploads/explain/explain.ts';
import { describeUnknownTarget, formatExplanation } from '../../uploads/explain/format-explanation.ts';
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
      'For a JID: prints the access rule that applies, the limits and their use, and the refusals of the last day. For a link or an id: prints what happened to the file.',
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
        const link =
          explanation.about === 'upload' ? createLinkFormatter(services, config)(explanation.upload) : null;
        if (options.json)
          await printJson(context, { ...withIsoTimes(explanation), ...(link !== null && { link }) });
        else if (explanation.about !== 'unknown') {
          const lines = formatExplanation(explanation, services.clock(), config.lines);
          if (link !== null) lines.push(`Link: ${link}`);
          await printLine(context.stdout, lines.map(sanitizeForTerminal).join('\n'));
        }
        if (explanation.about === 'unknown') {
          throw new CommandError(describeUnknownTarget(explanation.looksLike, sanitizeForTerminal(target)));
        }
      });
    });
}

const TIME_KEYS = /(?:At|^deadline)$/;

/** Replaces times by ISO 8601 texts. */
function withIsoTimes(explanation: Explanation): Readonly<Record<string, unknown>> {
  const text = JSON.stringify(explanation, (key, value: unknown) =>
    typeof value === 'number' && TIME_KEYS.test(key) ? new Date(value).toISOString() : value,
  );
  return JSON.parse(text);
}
