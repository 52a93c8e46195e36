import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addGauges } from '../../../src/metrics/gauges.ts';
import { createMetrics, LABEL_VALUES, type Metrics } from '../../../src/metrics/metrics.ts';

/** Labels whose values come from the config or the program, never from a request. */
const CONFIGURED = ['jid', 'queue', 'version', 'node'];
const CALLS = 500;

interface Series {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Calls every method that counts something, each time with other texts in place of every label. */
function countHostileRequests(metrics: Metrics): void {
  for (let call = 0; call < CALLS; call += 1) {
    for (const [name, method] of Object.entries(metrics)) {
      if (typeof method !== 'function' || name === 'setStreamUp' || name === 'setClockSkew') continue;
      const hostile = `x${call}\n"} ${'y'.repeat(100)}` as never;
      // Methods take their labels first, then numbers. A text in place of a number counts nothing.
      for (const args of [
        [hostile, 1, 1],
        [hostile, hostile, 1],
        ['chat', hostile, 1],
      ]) {
        try {
          Reflect.apply(method, metrics, args);
        } catch (error) {
          assert.match(String(error), /not a valid number|finite/i, name);
        }
      }
    }
  }
}

async function seriesOf({ registry }: Metrics): Promise<Series[]> {
  const found = (await registry.getMetricsAsJSON()) as unknown as {
    readonly name: string;
    readonly values: readonly { readonly labels: Readonly<Record<string, string>> }[];
  }[];
  return found
    .filter(({ name }) => name.startsWith('porter_'))
    .flatMap(({ name, values }) =>
      values.map(({ labels }) => ({
        name,
        labels: Object.entries(labels)
          .filter(([label]) => !CONFIGURED.includes(label) && label !== 'le')
          .map(([, value]) => value),
      })),
    );
}

describe('The labels of all metrics', () => {
  const allowed = new Set(['other', ...Object.values(LABEL_VALUES).flatMap((values) => [...values])]);

  test('have values from fixed sets, whatever senders, clients and servers write', async () => {
    const metrics = createMetrics();
    addGauges(metrics.registry, {
      totals: async () => ({ uploads: 1, bytes: 1, pendingUploads: 1, pendingBytes: 1, owners: 1 }),
      queues: { outbox: async () => 1 },
      transfers: () => 1,
      connections: () => 0,
      disks: async () => [],
      version: '1',
    });
    countHostileRequests(metrics);
    const series = await seriesOf(metrics);
    for (const { name, labels } of series) {
      for (const value of labels)
        assert.ok(allowed.has(value), `${name} has the label value ${value.slice(0, 40)}`);
    }
    assert.ok(
      series.some(({ name, labels }) => name === 'porter_messages_total' && labels.includes('other')),
    );
    assert.ok(series.length < CALLS, `${series.length} time series`);
  });

  test('keep every value that Porter itself uses', async () => {
    const metrics = createMetrics();
    metrics.messagePosted('groupchat', 'bounced');
    metrics.uploadsRemoved('soft_quota', 1, 1);
    metrics.callbackAttempted('given_up');
    const text = await metrics.registry.metrics();
    assert.match(text, /porter_messages_total\{type="groupchat",outcome="bounced"\} 1/);
    assert.match(text, /porter_removed_uploads_total\{reason="soft_quota"\} 1/);
    assert.match(text, /porter_callbacks_total\{outcome="given_up"\} 1/);
  });
});
