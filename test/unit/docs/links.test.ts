import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../../..');
const pages = globSync(['*.md', 'docs/**/*.md', '.github/*.md', 'packaging/**/*.md'], { cwd: ROOT });

/** Returns the text of a page without its blocks of code, which may be in a list. */
function readProse(page: string): string {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return text.replaceAll(/^ *(?:\d+\. )?```.*\n[\s\S]*?^ *```$/gm, '');
}

/** Returns the anchors of the headings, as GitHub derives them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of readProse(page).matchAll(/^#+ (.*)$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    anchors.add(text.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
  }
  return anchors;
}

/** Returns the links of a page that lead to nothing. Links to other sites are not checked. */
function brokenLinks(page: string): string[] {
  const targets = [...readProse(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(ROOT, file))) return true;
    return anchor !== undefined && !anchorsOf(file).has(anchor);
  });
}

describe('the links of the documentation', () => {
  test('are found', () => assert.ok(pages.length > 80));

  for (const page of pages) test(`${page} has no broken link`, () => assert.deepEqual(brokenLinks(page), []));

  test('lead from docs/README.md to every page of docs/', () => {
    const index = readProse('docs/README.md');
    const unlisted = globSync('docs/*.md', { cwd: ROOT }).filter(
      (page) => page !== 'docs/README.md' && !index.includes(`](${basename(page)})`),
    );
    assert.deepEqual(unlisted, []);
  });

  test('lead from docs/decisions/README.md to every decision', () => {
    const index = readProse('docs/decisions/README.md');
    const decisions = globSync('docs/decisions/0*.md', { cwd: ROOT }).map((page) => basename(page));
    assert.deepEqual(
      decisions.filter((page) => !index.includes(`](${page})`)),
      [],
    );
  });
});
