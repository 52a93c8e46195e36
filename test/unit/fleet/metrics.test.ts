import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addGauges } from '../../../src/base/gauges.ts';
import { createMeter } from '../../../src/base/meter.ts';
import { addUp, keepCounts, type Snapshot } from '../../../src/fleet/metrics.ts';

const JID = 'upload.example.org';

async function snapshot(work: (meter: ReturnType<typeof createMeter>) => void): Promise<Snapshot> {
  const meter = createMeter();
  const totals = { uploads: 7, bytes: 700, pendingUploads: 0, pendingBytes: 0, owners: 2 };
  addGauges(meter.registry, {
    totals: async () => totals,
    transfers: () => 3,
    queues: {},
    version: '1',
  });
  work(meter);
  return meter.registry.getMetricsAsJSON();
}

const figureOf = (text: string, line: string) =>
  text
    .split('\n')
    .find((found) => found.startsWith(`porter_${line} `))
    ?.split(' ')
    .at(-1);

describe('the metrics of several processes', () => {
  test('add up what each counts for itself, and show once what they share', async () => {
    const one = await snapshot((meter) => {
      meter.stored('slot_api', 100, 5);
      meter.stream(JID, true);
    });
    const other = await snapshot((meter) => meter.stored('slot_api', 50, 5));
    const text = await addUp([one, other]);
    assert.equal(figureOf(text, 'uploaded_bytes_total{door="slot_api"}'), '150');
    assert.equal(figureOf(text, 'put_seconds_count{door="slot_api"}'), '2');
    assert.equal(figureOf(text, 'transfers'), '6');
    assert.equal(figureOf(text, 'processes'), '2');
    assert.equal(figureOf(text, 'stored_bytes'), '700');
    assert.equal(figureOf(text, `stream_up{jid="${JID}"}`), '1');
  });

  test('keep what a process counted that is no more, and nothing else of it', async () => {
    const dead = await snapshot((meter) => meter.stored('slot_api', 100, 5));
    const kept = await keepCounts(await keepCounts([], dead), dead);
    const text = await addUp([await snapshot((meter) => meter.stored('slot_api', 50, 5)), kept]);
    assert.equal(figureOf(text, 'uploaded_bytes_total{door="slot_api"}'), '250');
    assert.equal(figureOf(text, 'processes'), '1');
    assert.equal(figureOf(text, 'transfers'), '3');
  });

  test('say nothing of a stream that this process does not hold any more', async () => {
    const text = await addUp([
      await snapshot((meter) => {
        meter.stream(JID, true);
        meter.clockSkew(JID, 5);
        meter.stream(JID, null);
      }),
    ]);
    assert.doesNotMatch(text, /upload\.example\.org/);
  });
});
