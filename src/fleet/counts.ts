import { addUp, keepCounts, type Snapshot } from './metrics.ts';
import type { WorkerProcess } from './worker-process.ts';

const SNAPSHOT_MS = 2_000;

/** What all workers count, those that have died included. */
export interface Counts {
  /** One text for all who ask at the same moment. A worker that does not answer counts as it last did. */
  text(): Promise<string>;
  /** Takes over what a worker had counted that is no more. */
  keep(worker: WorkerProcess): Promise<void>;
}

export function createCounts(workers: () => readonly WorkerProcess[]): Counts {
  let kept: Snapshot = [];
  let asked: Promise<string> | undefined;

  async function look(worker: WorkerProcess): Promise<Snapshot> {
    try {
      worker.counted = (await worker.line.ask('snapshot', null, SNAPSHOT_MS)) as Snapshot;
    } catch {
      // Busy or about to end.
    }
    return worker.counted;
  }

  async function addAll(): Promise<string> {
    const snapshots = await Promise.all(workers().map(look));
    return await addUp([...snapshots, kept]);
  }

  return {
    text() {
      asked ??= addAll().finally(() => {
        asked = undefined;
      });
      return asked;
    },
    async keep({ counted }) {
      kept = await keepCounts(kept, counted);
    },
  };
}
