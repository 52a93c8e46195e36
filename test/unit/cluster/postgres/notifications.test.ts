import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  createNotificationAssembler,
  splitIntoNotifications,
} from '../../../../src/cluster/postgres/notifications.ts';

function assemble(payloads: readonly string[]): unknown[] {
  const texts: unknown[] = [];
  const receive = createNotificationAssembler((json) => texts.push(JSON.parse(json)));
  for (const payload of payloads) receive(payload);
  return texts;
}

describe('texts split into notifications', () => {
  test('are assembled unchanged, in any script and of any length', () => {
    const text = fc.string({ unit: 'grapheme' });
    const values = fc.array(
      fc.tuple(text, fc.nat(3000)).map(([word, times]) => word.repeat(times)),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(values, (sent) => {
        const payloads = sent.flatMap((value) => splitIntoNotifications(JSON.stringify(value)));
        assert.deepEqual(assemble(payloads), sent);
      }),
      { numRuns: 50 },
    );
  });

  test('fit into the 8,000 bytes of a notification', () => {
    for (const payload of splitIntoNotifications(JSON.stringify('🌹é"\\'.repeat(10_000)))) {
      assert.ok(Buffer.byteLength(payload) < 8000);
    }
  });

  test('are dropped if their beginning was missed', () => {
    const [, ...rest] = splitIntoNotifications(JSON.stringify('x'.repeat(30_000)));
    assert.deepEqual(assemble([...rest, ...splitIntoNotifications('"whole"')]), ['whole']);
  });

  test('do not corrupt the next text if they are incomplete', () => {
    const [first = ''] = splitIntoNotifications(JSON.stringify('x'.repeat(30_000)));
    assert.deepEqual(assemble([first, ...splitIntoNotifications('"whole"')]), ['whole']);
  });
});
