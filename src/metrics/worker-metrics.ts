import type { WorkerProcess } from '../cluster/workers/worker-process.ts';
import { aggregateMetrics, type MetricsSnapshot, retainCounters } from './aggregate.ts';

const SNAPSHOT_MS = 2_000;

/** What all workers count, those that have died included. */
export interface WorkerMetrics {
  /** One text for all who ask at the same moment. A worker that does not answer counts as it last did. */
  render(): Promise<string>;
  /** Takes over what a worker had counted that is no more. */
  retain(worker: WorkerProcess): Promise<void>;
}

export function createWorkerMetrics(workers: () => readonly WorkerProcess[]): WorkerMetrics {
  let kept: MetricsSnapshot = [];
  let asked: Promise<string> | undefined;

  async function look(worker: WorkerProcess): Promise<MetricsSnapshot> {
    try {
      worker.lastMetrics = (await worker.channel.request('snapshot', null, SNAPSHOT_MS)) as MetricsSnapshot;
    } catch {
      // Busy or about to end.
    }
    return worker.lastMetrics;
  }

  async function addAll(): Promise<string> {
    const snapshots = await Promise.all(workers().map(look));
    return await aggregateMetrics([...snapshots, kept]);
  }

  return {
    render() {
      asked ??= addAll().finally(() => {
        asked = undefined;
      });
      return asked;
    },
    async retain({ lastMetrics }) {
      kept = await retainCounters(kept, lastMetrics);
    },
  };
}
