import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  createNotificationAssembler,
  splitIntoNotifications,
} from '../../../../src/cluster/postgres/notifications.ts';

function putTogether(pieces: readonly string[]): unknown[] {
  const texts: unknown[] = [];
  const take = createNotificationAssembler((text) => texts.push(JSON.parse(text)));
  for (const piece of pieces) take(piece);
  return texts;
}

describe('texts in pieces', () => {
  test('come together as they were, in any script and of any length', () => {
    const text = fc.string({ unit: 'grapheme' });
    const values = fc.array(
      fc.tuple(text, fc.nat(3000)).map(([word, times]) => word.repeat(times)),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(values, (sent) => {
        assert.deepEqual(
          putTogether(sent.flatMap((value) => splitIntoNotifications(JSON.stringify(value)))),
          sent,
        );
      }),
      { numRuns: 50 },
    );
  });

  test('fit into a notification each', () => {
    for (const piece of splitIntoNotifications(JSON.stringify('🌹é"\\'.repeat(10_000)))) {
      assert.ok(Buffer.byteLength(piece) < 8000);
    }
  });

  test('are left out where their beginning was missed', () => {
    const [, ...rest] = splitIntoNotifications(JSON.stringify('x'.repeat(30_000)));
    assert.deepEqual(putTogether([...rest, ...splitIntoNotifications('"whole"')]), ['whole']);
  });

  test('of one that broke off do not spoil the next', () => {
    const [first = ''] = splitIntoNotifications(JSON.stringify('x'.repeat(30_000)));
    assert.deepEqual(putTogether([first, ...splitIntoNotifications('"whole"')]), ['whole']);
  });
});
