import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');
const rows = PAGE.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| threat'));

describe('SECURITY.md', () => {
  test('names a test for every threat, and every file that it names exists', () => {
    assert.ok(rows.length >= 20);
    for (const row of rows) {
      const files = [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, file = '']) => file);
      assert.notEqual(files.length, 0, row);
      for (const file of files) assert.ok(existsSync(join(ROOT, file)), file);
    }
  });
});
