import type { Config } from '../config/load.ts';
import type { Desk } from '../fleet/worker.ts';
import { hearHangups, nextStop } from './signals.ts';

/**
 * Serves as one of several. Config and orders come from the supervisor. Signals may come from elsewhere too (a
 * terminal, systemd): those for a reload are not for workers, and of those to end only the first counts.
 */
export async function serveAsWorker(desk: Desk, graceMs: number): Promise<void> {
  hearHangups().ignore();
  const stopped = nextStop();
  try {
    // The supervisor has it from the same program.
    const config = (await desk.config()) as Config;
    const { startApp } = await import('../app.ts');
    const app = await startApp(config, desk);
    desk.serve('reload', (next) => app.reload(next as Config));
    await desk.ready();
    await stopped;
    process.on('SIGTERM', ignore).on('SIGINT', ignore);
    await app.stop(graceMs);
  } finally {
    desk.leave();
  }
}

function ignore(): void {}
