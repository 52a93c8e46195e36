import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';

/** The metrics of one process, as `Registry.getMetricsAsJSON` returns them. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/** A worker process that returns its metrics. */
export interface MetricsSource {
  /** The snapshot of the last successful `fetchMetrics`. */
  readonly lastMetrics: MetricsSnapshot;
  /** Requests the metrics and updates `lastMetrics`. Rejects if the worker is too busy to answer or is exiting. */
  fetchMetrics(): Promise<void>;
}

/** The metrics of all workers. Counters of workers that have exited stay included. */
export interface WorkerMetrics {
  /**
   * Returns the sum as Prometheus text. Concurrent calls share one result. If a worker does not answer, its last snapshot is used.
   */
  render(): Promise<string>;
  /** Keeps the counters of a worker that has exited. */
  retain(worker: MetricsSource): Promise<void>;
}

export function createWorkerMetrics(workers: () => readonly MetricsSource[]): WorkerMetrics {
  let retained: MetricsSnapshot = [];
  let rendering: Promise<string> | undefined;

  async function fetchSnapshot(worker: MetricsSource): Promise<MetricsSnapshot> {
    await worker.fetchMetrics().catch(() => {});
    return worker.lastMetrics;
  }

  async function renderAll(): Promise<string> {
    const snapshots = await Promise.all(workers().map(fetchSnapshot));
    return await aggregateMetrics([...snapshots, retained]);
  }

  return {
    render() {
      rendering ??= renderAll().finally(() => {
        rendering = undefined;
      });
      return rendering;
    },
    async retain({ lastMetrics }) {
      retained = await retainCounters(retained, lastMetrics);
    },
  };
}

/** Metric types whose values only increase. Their sums must not decrease when a process exits. */
const MONOTONIC_TYPES = new Set(['counter', 'histogram']);

/** Combines the metrics of several processes into one text, by the aggregator of each metric. */
export async function aggregateMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return await aggregate(snapshots).metrics();
}

/** Adds the counters and histograms of an exited process to the retained ones. Gauges are dropped. */
export async function retainCounters(
  retained: MetricsSnapshot,
  last: MetricsSnapshot,
): Promise<MetricsSnapshot> {
  const monotonic = last.filter(({ type }) => MONOTONIC_TYPES.has(String(type)));
  return (await aggregate([retained, monotonic]).getMetricsAsJSON()) as MetricsSnapshot;
}

function aggregate(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate([...snapshots]) as Registry;
}
