import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BUNDLED, buildPage } from '../../../packaging/page/build-page.ts';

const MAX_FIRST_LOAD = 100_000;

describe('The built page', () => {
  let folder: string;
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'porter-page-'));
    await buildPage(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The files that the browser loads before it shows the page: those of `index.html` and their static imports. */
  function firstLoad(): string[] {
    const found = new Set(['index.html']);
    for (const name of found) {
      const isScript = name.endsWith('.js');
      const pattern = isScript ? /(?:from|import)"\.\/([^"]+)"/g : /(?:src|href)="([^"]+)"/g;
      for (const [, target = ''] of read(name).matchAll(pattern))
        found.add(isScript ? `assets/${target}` : target);
    }
    return [...found];
  }

  test(`loads at most ${MAX_FIRST_LOAD} bytes at first`, () => {
    const files = firstLoad();
    assert.ok(files.length >= 4, files.join());
    const bytes = files.reduce((sum, name) => sum + gzipSync(read(name)).length, 0);
    assert.ok(bytes < MAX_FIRST_LOAD, `${bytes} bytes`);
  });

  test('has no inline script or style, and only relative links', () => {
    const html = read('index.html');
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    for (const [, link = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g)) assert.doesNotMatch(link, /^\/|:/);
  });

  test('names no other server', () => {
    for (const name of readdirSync(join(folder, 'assets'))) {
      const hosts = read(`assets/${name}`).match(/https?:\/\/[\w.-]+/g) ?? [];
      // The names of the XML namespaces of SVG and MathML.
      assert.deepEqual(
        hosts.filter((host) => host !== 'http://www.w3.org'),
        [],
        name,
      );
    }
  });

  test('has the licences of the code inside', () => {
    for (const name of BUNDLED) assert.match(read('licenses.txt'), new RegExp(`^${name}\n\n.*MIT`, 'ms'));
  });
});
