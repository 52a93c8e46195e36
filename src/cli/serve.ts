import type { Command } from 'commander';
import type { Fleet } from '../app/supervise.ts';
import type { App } from '../app.ts';
import type { Config } from '../config/load.ts';
import { ConfigError } from '../config/problems.ts';
import { needRestart } from '../config/restart.ts';
import { deskOfWorker } from '../fleet/worker.ts';
import { configOf } from './config-file.ts';
import { CommandFailure, sentenceOf } from './fail.ts';
import { example } from './help.ts';
import { serveAsWorker } from './serve-worker.ts';
import type { Shell } from './shell.ts';
import { endingWith, hearHangups, nextStop } from './signals.ts';
import { welcome } from './welcome.ts';

const GRACE_MS = 30_000;
/** Beyond their grace, for workers to close what they have open. */
const WORKER_LIMIT_MS = GRACE_MS + 5_000;

export function addServe(program: Command, shell: Shell): void {
  program
    .command('serve')
    .summary('run the server')
    .description('Runs the server until SIGTERM or SIGINT. SIGHUP reads config and certificates again.')
    .addHelpText('after', example('porter serve -c /etc/porter/porter.yml'))
    .action(async (_options: object, command: Command) => {
      const desk = deskOfWorker();
      if (desk) await serveAsWorker(desk, GRACE_MS);
      else await serve(shell, command);
    });
}

async function serve(shell: Shell, command: Command): Promise<void> {
  const hangups = hearHangups();
  try {
    const read = () => configOf(shell, command);
    const config = await read();
    const stopped = nextStop();
    const server = config.workers > 1 ? await startWorkers(config) : await startAlone(shell, config);
    const { log } = server;
    for (const warning of config.warnings) log.warn(warning);
    hangups.answer(() => reloadConfig(server, config, read));
    const why = await Promise.race([stopped, server.gaveUp]);
    hangups.ignore();
    if (typeof why === 'number') return await giveUp(server, why);
    log.info({ signal: why }, 'stopping');
    await endingWith(server.stop, server.kill);
    log.info('stopped');
  } finally {
    hangups.close();
  }
}

/** What serves, in this process or in workers. */
interface Server extends Pick<App, 'log' | 'reload'> {
  readonly stop: () => Promise<void>;
  readonly kill?: () => void;
  readonly gaveUp: Promise<number>;
}

async function startAlone(shell: Shell, config: Config): Promise<Server> {
  // Only this command needs all of the server.
  const { startApp } = await import('../app.ts');
  const app = await startApp(config);
  if (config.file === null) shell.out.write(welcome(app, config));
  return { ...app, stop: () => app.stop(GRACE_MS), gaveUp: new Promise(() => {}) };
}

async function startWorkers(config: Config): Promise<Server> {
  const { startFleet } = await import('../app/supervise.ts');
  const fleet: Fleet | number = await startFleet(config);
  if (typeof fleet === 'number')
    throw new CommandFailure('A worker could not start, so none is left.', fleet);
  return { ...fleet, stop: () => fleet.stop(WORKER_LIMIT_MS) };
}

async function giveUp(server: Server, exitCode: number): Promise<never> {
  await server.stop();
  throw new CommandFailure('No worker can be kept running.', exitCode);
}

async function reloadConfig(server: Server, before: Config, read: () => Promise<Config>): Promise<void> {
  const { log } = server;
  try {
    const config = await read();
    await server.reload(config);
    for (const key of needRestart(before, config))
      log.warn({ key }, 'changed in the config: takes a restart');
    for (const warning of config.warnings) log.warn(warning);
    log.info('config read again');
  } catch (error) {
    const why = error instanceof ConfigError ? error.format() : sentenceOf(error);
    log.error({ why }, 'the new config is no good; the old one stays');
  }
}
