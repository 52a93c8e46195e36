import type { Command } from 'commander';
import { sendProbe } from '../../doctor/probe-client.ts';
import { shortErrorReason } from '../../doctor/report.ts';
import { formatTarget, localTarget, parseReadiness } from '../../doctor/running-server.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';

/** A quick test of a running server, for Docker, systemd and monitoring. `porter doctor` tests much more. */
export function addHealth(program: Command, context: CommandContext): void {
  program
    .command('health')
    .summary('ask the running server whether it is ready')
    .description(
      'Asks the server at the address in `listen` (a port, TLS or a Unix socket) whether it is ready, as `/readyz` does. ' +
        'For health checks of containers and for monitoring. Exit code 0 if it is ready, 1 if not, or 2.',
    )
    .option('--json', 'print the state as JSON')
    .addHelpText('after', formatExamples('porter health -c /etc/porter/porter.yml'))
    .action(async (options: { json?: boolean }, command: Command) => {
      const target = localTarget(await loadCommandConfig(context, command));
      const address = formatTarget(target);
      const { body } = await sendProbe(target, '/readyz').catch((error: unknown) => {
        throw new CommandError(`No answer at ${address} (${shortErrorReason(error)}). Is Porter running?`);
      });
      const answer = parseReadiness(body);
      if (answer === undefined)
        throw new CommandError(`Another program answers at ${address}. Check \`listen\`.`);
      if (options.json) await printJson(context, answer);
      if (!answer.ready) throw new CommandError(formatReasons(answer.reasons));
      if (!options.json) await printLine(context.stdout, `Porter at ${address} is ready.`);
    });
}

function formatReasons(reasons: readonly { readonly part: string; readonly reason: string }[]): string {
  const list = reasons.map(({ part, reason }) => `${part}: ${reason}`).join('; ');
  return sanitizeForTerminal(`Porter is not ready. ${list}`);
}
