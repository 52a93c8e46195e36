import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hookPrograms } from '../../../src/messages/hooks/formats/registry.ts';
import { listConfigProblems } from '../config/parse-test-config.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/hooks.md'), 'utf8');
const blocks = [...PAGE.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
  .map((match) => match[1] ?? '')
  // The config of Alertmanager is not checked here.
  .filter((block) => !block.startsWith('receivers:'));

/** The whole config: the first example, or another one below the first. */
function whole(block: string): string {
  const [first = ''] = blocks;
  return block === first ? first : first + block;
}

describe('docs/hooks.md', () => {
  test('has valid example configs', () => {
    assert.ok(blocks.length >= 5);
    for (const block of blocks) {
      const text = whole(block)
        .replace('secret_file: component-secret', 'secret: a-secret-that-is-long')
        .replace(/(token|secret)_file: ([^\s,]+)/g, '$1: $2-0123456789');
      assert.deepEqual(listConfigProblems(text), [], text);
    }
  });

  test('documents every format', () => {
    for (const name of Object.keys(hookPrograms))
      assert.match(PAGE, new RegExp(name.replace('-', '[- ]'), 'i'), name);
  });
});
