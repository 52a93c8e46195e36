import type { WorkerClient } from '../../cluster/workers/worker-client.ts';
import type { Config } from '../../config/load.ts';
import { listenForReload, waitForStopSignal } from './signals.ts';

/**
 * Serves as one of several. Config and orders come from the supervisor. Signals may come from elsewhere too (a
 * terminal, systemd): those for a reload are not for workers, and of those to end only the first counts.
 */
export async function serveAsWorker(desk: WorkerClient, graceMs: number): Promise<void> {
  listenForReload().ignore();
  const stopped = waitForStopSignal();
  try {
    // The supervisor has it from the same program.
    const config = (await desk.fetchConfig()) as Config;
    const { startServer } = await import('../../server/start.ts');
    const app = await startServer(config, desk);
    desk.handle('reload', (next) => app.reload(next as Config));
    await desk.reportReady();
    await stopped;
    process.on('SIGTERM', ignore).on('SIGINT', ignore);
    await app.stop(graceMs);
  } finally {
    desk.disconnect();
  }
}

function ignore(): void {}
