import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { AUDITED_ACTIONS } from '../../../src/web/api/audit.ts';
import { createFormats, startOfDay } from '../../../src/web/page/lib/format.ts';
import { de } from '../../../src/web/page/words/de.ts';
import { en } from '../../../src/web/page/words/en.ts';

function setTimeZone(t: TestContext, zone: string): void {
  const before = process.env.TZ;
  process.env.TZ = zone;
  t.after(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });
}

describe('the texts of the page', () => {
  for (const [language, words] of Object.entries({ en, de })) {
    test(`${language}: name every action of the audit`, () => {
      const missing = AUDITED_ACTIONS.filter((action) => words.auditActions[action] === undefined);
      assert.deepEqual(missing, []);
    });

    test(`${language}: give the reason of the server for refused uploads`, () => {
      assert.match(words.uploadsRefused('The disk is full.'), /The disk is full\./);
    });
  }
});

describe('the dates of the page', () => {
  test('days that are counted in UTC keep their date in every time zone', (t) => {
    setTimeZone(t, 'America/New_York');
    assert.match(createFormats('en').utcDate('2026-11-30T00:00:00.000Z'), /30/);
  });

  test('a chosen day begins at midnight in the time zone of the browser', (t) => {
    setTimeZone(t, 'America/New_York');
    assert.equal(startOfDay('2026-11-30'), '2026-11-30T05:00:00.000Z');
  });
});
