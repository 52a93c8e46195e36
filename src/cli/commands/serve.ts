import type { Command } from 'commander';
import { connectToSupervisor } from '../../cluster/workers/worker-client.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { Config } from '../../config/load.ts';
import { findRestartOptions } from '../../config/restart-options.ts';
import type { PorterServer } from '../../server/start.ts';
import type { SupervisedServer } from '../../server/start-workers.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, formatErrorMessage } from '../lib/command-error.ts';
import { loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { serveAsWorker } from '../lib/serve-worker.ts';
import { listenForReload, stopGracefully, waitForStopSignal } from '../lib/signals.ts';
import { formatWelcome } from '../lib/welcome.ts';

const GRACE_MS = 30_000;
/** Beyond their grace, for workers to close what they have open. */
const WORKER_LIMIT_MS = GRACE_MS + 5_000;

export function addServe(program: Command, shell: CommandContext): void {
  program
    .command('serve')
    .summary('run the server')
    .description('Runs the server until SIGTERM or SIGINT. SIGHUP reads config and certificates again.')
    .addHelpText('after', formatExamples('porter serve -c /etc/porter/porter.yml'))
    .action(async (_options: object, command: Command) => {
      const desk = connectToSupervisor();
      if (desk) await serveAsWorker(desk, GRACE_MS);
      else await serve(shell, command);
    });
}

async function serve(shell: CommandContext, command: Command): Promise<void> {
  const hangups = listenForReload();
  try {
    const read = () => loadCommandConfig(shell, command);
    const config = await read();
    const stopped = waitForStopSignal();
    const server = config.workers > 1 ? await startWorkers(config) : await startAlone(shell, config);
    const { log } = server;
    for (const warning of config.warnings) log.warn(warning);
    hangups.answer(() => reloadConfig(server, config, read));
    const why = await Promise.race([stopped, server.gaveUp]);
    hangups.ignore();
    if (typeof why === 'number') return await giveUp(server, why);
    log.info({ signal: why }, 'stopping');
    await stopGracefully(server.stop, server.kill);
    log.info('stopped');
  } finally {
    hangups.close();
  }
}

/** What serves, in this process or in workers. */
interface Server extends Pick<PorterServer, 'log' | 'reload'> {
  readonly stop: () => Promise<void>;
  readonly kill?: () => void;
  readonly gaveUp: Promise<number>;
}

async function startAlone(shell: CommandContext, config: Config): Promise<Server> {
  // Only this command needs all of the server.
  const { startServer } = await import('../../server/start.ts');
  const app = await startServer(config);
  if (config.file === null) shell.stdout.write(formatWelcome(app, config));
  return { ...app, stop: () => app.stop(GRACE_MS), gaveUp: new Promise(() => {}) };
}

async function startWorkers(config: Config): Promise<Server> {
  const { startSupervisedServer } = await import('../../server/start-workers.ts');
  const fleet: SupervisedServer | number = await startSupervisedServer(config);
  if (typeof fleet === 'number') throw new CommandError('A worker could not start, so none is left.', fleet);
  return { ...fleet, stop: () => fleet.stop(WORKER_LIMIT_MS) };
}

async function giveUp(server: Server, exitCode: number): Promise<never> {
  await server.stop();
  throw new CommandError('No worker can be kept running.', exitCode);
}

async function reloadConfig(server: Server, before: Config, read: () => Promise<Config>): Promise<void> {
  const { log } = server;
  try {
    const config = await read();
    await server.reload(config);
    for (const key of findRestartOptions(before, config))
      log.warn({ key }, 'changed in the config: takes a restart');
    for (const warning of config.warnings) log.warn(warning);
    log.info('config read again');
  } catch (error) {
    const why = error instanceof ConfigError ? error.format() : formatErrorMessage(error);
    log.error({ why }, 'the new config is no good; the old one stays');
  }
}
