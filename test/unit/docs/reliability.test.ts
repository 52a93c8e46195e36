import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultPointTable } from '../../conformance/faults/fault-points.ts';

const ROOT = join(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8');

test('docs/reliability.md lists every point of failure that is tested', () => {
  const [, list] = /<!-- fault points:.*-->\n([\s\S]*)\n<!-- end of fault points -->/.exec(page) ?? [];
  assert.equal(list, faultPointTable());
});

test('docs/reliability.md names only tests that exist', () => {
  for (const [, path = ''] of page.matchAll(/`(test\/[^`]+)`/g))
    assert.ok(existsSync(join(ROOT, path)), path);
});
