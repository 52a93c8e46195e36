import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  copyDebianDocumentation,
  copyDocumentation,
  DOCUMENTATION,
} from '../../../packaging/release/documentation.ts';
import { brokenLinks } from '../../support/page-links.ts';

const ROOT = join(import.meta.dirname, '../../..');

describe('the documentation in a package', () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'porter-documentation-'));
  });
  after(() => rmSync(parent, { recursive: true }));

  /** Checks the links of all pages in a folder. */
  function assertLinks(folder: string): void {
    const pages = globSync('**/*.md', { cwd: folder });
    assert.ok(pages.length > 80);
    for (const page of pages) assert.deepEqual(brokenLinks(folder, page), [], page);
  }

  test('has no link to a missing file in the tarball and the npm package', () => {
    const folder = join(parent, 'tarball');
    copyDocumentation(folder);
    assertLinks(folder);
  });

  test('has no link to a missing file in the Debian package', () => {
    const folder = join(parent, 'debian');
    copyDebianDocumentation(folder);
    // The package gets this file with the licences of all dependencies.
    writeFileSync(join(folder, 'copyright'), '');
    assertLinks(folder);
  });

  test('is listed in package.json for the npm package', () => {
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
    assert.deepEqual(
      DOCUMENTATION.filter((name) => !files.includes(name)),
      [],
    );
  });
});
