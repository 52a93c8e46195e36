import type { Command } from 'commander';
import { connectToSupervisor, type WorkerClient } from '../../cluster/workers/worker-client.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { Config } from '../../config/load.ts';
import { networkLedgerWarnings } from '../../config/network-file-system.ts';
import { findRestartOptions } from '../../config/restart-options.ts';
import type { PorterServer } from '../../server/start.ts';
import type { SupervisedServer } from '../../server/start-workers.ts';
import { limitYoungGeneration } from '../../server/young-generation.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, formatErrorMessage } from '../lib/command-error.ts';
import { addConfigArgument, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { DEFAULT_HTTP_PORT } from '../lib/init-plan.ts';
import { parsePortOption } from '../lib/options.ts';
import { createServiceManager } from '../lib/service-manager.ts';
import { ReloadSignal, stopGracefully, waitForStopSignal } from '../lib/signals.ts';

/** Time for running requests to end after a stop signal. */
const GRACE_MS = 30_000;
/** The supervisor waits longer, so that workers can close their stores after the grace period. */
const WORKER_LIMIT_MS = GRACE_MS + 5_000;

export function addServe(program: Command, context: CommandContext): void {
  addConfigArgument(program.command('serve'))
    .summary('run the server')
    .description('Runs the server until SIGTERM or SIGINT. SIGHUP reloads the config and the certificates.')
    .option(
      '--port <number>',
      'listen on 127.0.0.1 at this port, instead of the addresses of the config',
      parsePortOption,
    )
    .addHelpText(
      'after',
      formatExamples('porter serve -c /etc/porter/porter.yml', 'porter serve --port 5051'),
    )
    .action(async (_file: string | undefined, options: { port?: number }, command: Command) => {
      const supervisor = connectToSupervisor();
      if (supervisor) await serveAsWorker(supervisor);
      else await serve(context, command, options.port);
    });
}

async function serve(context: CommandContext, command: Command, port: number | undefined): Promise<void> {
  // Handled first, because a SIGHUP during the start must not end the process.
  const reloadSignal = new ReloadSignal();
  try {
    const loadConfig = async () => withPort(await loadCommandConfig(context, command), port);
    const config = await loadConfig();
    const stopSignal = waitForStopSignal();
    const stopping = new AbortController();
    void stopSignal.then(() => stopping.abort());
    const server =
      config.workers > 1 ? await startWorkers(config) : await startSingle(context, config, stopping.signal);
    const { log } = server;
    for (const warning of [...config.warnings, ...networkLedgerWarnings(config)]) log.warn(warning);
    reloadSignal.onReload(() => reloadConfig(server, config, loadConfig));
    const serviceManager = createServiceManager(context.env, log);
    await serviceManager.ready();
    const end = await Promise.race([stopSignal, server.gaveUp]);
    reloadSignal.ignore();
    if (typeof end === 'number') {
      await server.stop();
      throw new CommandError('The workers keep crashing; giving up. The log has the reason.', end);
    }
    log.info({ signal: end }, 'stopping');
    void serviceManager.stopping();
    await stopGracefully(server.stop, server.kill);
    log.info('stopped');
  } finally {
    reloadSignal.close();
  }
}

function withPort(config: Config, port: number | undefined): Config {
  return port === undefined ? config : { ...config, listen: [{ host: '127.0.0.1', port }] };
}

/** A running server, in this process or in workers. */
interface Server extends Pick<PorterServer, 'log' | 'reload'> {
  readonly stop: () => Promise<void>;
  readonly kill?: () => void;
  /** Resolves with an exit code if the workers cannot be kept running. */
  readonly gaveUp: Promise<number>;
}

async function startSingle(context: CommandContext, config: Config, signal: AbortSignal): Promise<Server> {
  // Imported here, because no other command needs the server.
  const { startServer } = await import('../../server/start.ts');
  const server = await startServer(config, undefined, signal);
  limitYoungGeneration();
  exitWithoutLedger(server);
  if (config.file === null) context.stdout.write(formatWelcome(server, config));
  return { ...server, stop: () => server.stop(GRACE_MS), gaveUp: new Promise(() => {}) };
}

async function startWorkers(config: Config): Promise<Server> {
  const { startSupervisedServer } = await import('../../server/start-workers.ts');
  const started: SupervisedServer | number = await startSupervisedServer(config);
  if (typeof started === 'number') {
    throw new CommandError('A worker could not start. The log has the reason.', started);
  }
  return { ...started, stop: () => started.stop(WORKER_LIMIT_MS) };
}

/**
 * Serves as one of several workers. The supervisor sends the config and the orders. A terminal or systemd may send
 * signals to workers too: SIGHUP is ignored, and only the first SIGTERM or SIGINT counts.
 */
async function serveAsWorker(supervisor: WorkerClient): Promise<void> {
  new ReloadSignal().ignore();
  const stopSignal = waitForStopSignal();
  try {
    // The supervisor runs the same program, so the config has the expected shape.
    const config = (await supervisor.fetchConfig()) as Config;
    const { startWorkerServer } = await import('../../server/start.ts');
    const stopping = new AbortController();
    void stopSignal.then(() => stopping.abort());
    const server = await startWorkerServer(config, supervisor, stopping.signal);
    if (server === undefined) return;
    limitYoungGeneration();
    exitWithoutLedger(server);
    supervisor.handle('reload', (next) => server.reload(next as Config));
    await supervisor.reportReady();
    await stopSignal;
    process.on('SIGTERM', ignoreSignal).on('SIGINT', ignoreSignal);
    await server.stop(GRACE_MS);
  } finally {
    supervisor.disconnect();
  }
}

/**
 * Ends the process if a thread of the ledger ends, or if another machine has started with the same SQLite file. A supervisor, systemd
 * or Docker starts it again. Transfers are aborted as in a crash, because none can be completed without the ledger.
 */
function exitWithoutLedger({ log, ledgerThreadEnded }: PorterServer): void {
  void ledgerThreadEnded.then((err) => {
    log.fatal({ err }, 'the ledger can no longer be used, so this process exits with code 1');
    process.exit(1);
  });
}

function ignoreSignal(): void {}

async function reloadConfig(
  server: Server,
  before: Config,
  loadConfig: () => Promise<Config>,
): Promise<void> {
  const { log } = server;
  try {
    const config = await loadConfig();
    await server.reload(config);
    for (const key of findRestartOptions(before, config)) {
      log.warn({ key }, 'this change of the config takes effect after a restart');
    }
    for (const warning of config.warnings) log.warn(warning);
    log.info('config reloaded');
  } catch (error) {
    const reason = error instanceof ConfigError ? error.format() : formatErrorMessage(error);
    log.error({ reason }, 'cannot load the new config; the old one stays in use');
  }
}

/** Returns instructions for a trial without a config file. The commands work as printed. */
function formatWelcome({ addresses }: PorterServer, { storage }: Config): string {
  const address = addresses.find((candidate) => 'port' in candidate);
  const url = `http://127.0.0.1:${address && 'port' in address ? address.port : DEFAULT_HTTP_PORT}`;
  const location = storage.blobs.kind === 'folder' ? storage.blobs.path : storage.blobs.bucket;
  return `
Porter runs at ${url} and stores files in ${location}. All users of this machine may upload,
up to 100 MiB per file and 1 GiB in total. Request a slot, upload, download:

  SLOT=$(curl -s '${url}/slot/?jid=me@localhost&name=hello.txt&size=13&content_type=text/plain')
  curl -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello, world!' "$(echo "$SLOT" | head -n 1)"
  curl "$(echo "$SLOT" | tail -n 1)"

Next, with your XMPP server: npm run -s porter -- init --for prosody --domain example.org

`;
}
