import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';

/** What `Registry.getMetricsAsJSON` gives. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/** What only ever grows, and must not shrink because a process has died. */
const GROWING = new Set(['counter', 'histogram']);

/** One text out of the metrics of many processes, by the way of adding up that each metric names. */
export async function aggregateMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return await sum(snapshots).metrics();
}

/** Keeps what a process that has died counted: without it the sums would seem to start afresh. */
export async function retainCounters(kept: MetricsSnapshot, last: MetricsSnapshot): Promise<MetricsSnapshot> {
  const growing = last.filter(({ type }) => GROWING.has(String(type)));
  return (await sum([kept, growing]).getMetricsAsJSON()) as MetricsSnapshot;
}

function sum(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate([...snapshots]) as Registry;
}
