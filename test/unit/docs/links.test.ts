import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { brokenLinks, readProse } from '../../support/page-links.ts';

const ROOT = join(import.meta.dirname, '../../..');
const pages = globSync(['*.md', 'docs/**/*.md', '.github/*.md', 'packaging/**/*.md'], { cwd: ROOT });

describe('the links of the documentation', () => {
  test('are found', () => assert.ok(pages.length > 80));

  for (const page of pages)
    test(`${page} has no broken link`, () => assert.deepEqual(brokenLinks(ROOT, page), []));

  test('lead from docs/README.md to every page of docs/', () => {
    const index = readProse(ROOT, 'docs/README.md');
    const unlisted = globSync('docs/*.md', { cwd: ROOT }).filter(
      (page) => page !== 'docs/README.md' && !index.includes(`](${basename(page)})`),
    );
    assert.deepEqual(unlisted, []);
  });

  test('lead from docs/decisions/README.md to every decision', () => {
    const index = readProse(ROOT, 'docs/decisions/README.md');
    const decisions = globSync('docs/decisions/0*.md', { cwd: ROOT }).map((page) => basename(page));
    assert.deepEqual(
      decisions.filter((page) => !index.includes(`](${page})`)),
      [],
    );
  });
});
