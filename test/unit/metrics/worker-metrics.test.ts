import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addGauges } from '../../../src/metrics/gauges.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import {
  aggregateMetrics,
  type MetricsSnapshot,
  retainCounters,
} from '../../../src/metrics/worker-metrics.ts';

const JID = 'upload.example.org';

async function snapshot(work: (metrics: ReturnType<typeof createMetrics>) => void): Promise<MetricsSnapshot> {
  const metrics = createMetrics();
  const totals = { uploads: 7, bytes: 700, pendingUploads: 0, pendingBytes: 0, owners: 2 };
  addGauges(metrics.registry, {
    totals: async () => totals,
    transfers: () => 3,
    connections: () => 0,
    disks: async () => [],
    queues: {},
    version: '1',
  });
  work(metrics);
  return metrics.registry.getMetricsAsJSON();
}

const figureOf = (text: string, line: string) =>
  text
    .split('\n')
    .find((found) => found.startsWith(`porter_${line} `))
    ?.split(' ')
    .at(-1);

describe('the metrics of several processes', () => {
  test('add up counters of each process and show shared values once', async () => {
    const one = await snapshot((metrics) => {
      metrics.uploadStored('slot_api', 100, 5);
      metrics.setStreamUp(JID, true);
    });
    const other = await snapshot((metrics) => metrics.uploadStored('slot_api', 50, 5));
    const text = await aggregateMetrics([one, other]);
    assert.equal(figureOf(text, 'uploaded_bytes_total{endpoint="slot_api"}'), '150');
    assert.equal(figureOf(text, 'put_seconds_count{endpoint="slot_api"}'), '2');
    assert.equal(figureOf(text, 'transfers'), '6');
    assert.equal(figureOf(text, 'processes'), '2');
    assert.equal(figureOf(text, 'stored_bytes'), '700');
    assert.equal(figureOf(text, `stream_up{jid="${JID}"}`), '1');
  });

  test('keep the counters of a process that has exited, and not its gauges', async () => {
    const dead = await snapshot((metrics) => metrics.uploadStored('slot_api', 100, 5));
    const kept = await retainCounters(await retainCounters([], dead), dead);
    const text = await aggregateMetrics([
      await snapshot((metrics) => metrics.uploadStored('slot_api', 50, 5)),
      kept,
    ]);
    assert.equal(figureOf(text, 'uploaded_bytes_total{endpoint="slot_api"}'), '250');
    assert.equal(figureOf(text, 'processes'), '1');
    assert.equal(figureOf(text, 'transfers'), '3');
  });

  test('omit a stream that another process has taken over', async () => {
    const text = await aggregateMetrics([
      await snapshot((metrics) => {
        metrics.setStreamUp(JID, true);
        metrics.setClockSkew(JID, 5);
        metrics.setStreamUp(JID, null);
      }),
    ]);
    assert.doesNotMatch(text, /upload\.example\.org/);
  });
});
