import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha256Hex } from '../../../src/base/ids.ts';
import { createOldLinks, locatorForOldLink } from '../../../src/uploads/old-links.ts';

const PATHS = [
  { path: '/', namespace: 'external' },
  { path: '/upload/', namespace: 'external' },
  { path: '/file_share/', namespace: 'file_share' },
  { path: '/füße/', namespace: 'external' },
];
const external = (rest: string | Buffer) => `external:${sha256Hex(rest)}`;

describe('an old link', () => {
  test('has the same locator in every percent-encoding', () => {
    const same = [
      'tr%c3%a8s%20cool.jpg',
      'tr%C3%A8s%20cool.jpg',
      '%74r%C3%A8s cool.jpg',
      'tr\xc3\xa8s%20cool.jpg',
    ];
    for (const name of same) {
      assert.equal(locatorForOldLink(PATHS, `/upload/id/${name}`), external('id/très cool.jpg'), name);
    }
    assert.equal(locatorForOldLink(PATHS, '/upload/id/a+b'), external('id/a+b'));
    assert.equal(locatorForOldLink(PATHS, '/upload/id/100%'), external('id/100%'));
    assert.equal(locatorForOldLink(PATHS, '/upload/id/a%0ab%00'), external('id/a\nb\0'));
    assert.equal(locatorForOldLink(PATHS, '/upload/id/%ff'), external(Buffer.from('id/\xff', 'latin1')));
    assert.notEqual(
      locatorForOldLink(PATHS, '/upload/id/e%cc%81'),
      locatorForOldLink(PATHS, '/upload/id/%c3%a9'),
    );
  });

  test('belongs to the longest matching old path', () => {
    assert.equal(locatorForOldLink(PATHS, '/file_share/x'), `file_share:${sha256Hex('x')}`);
    assert.equal(locatorForOldLink(PATHS, '/file%5fshare/x'), `file_share:${sha256Hex('x')}`);
    assert.equal(locatorForOldLink(PATHS, '/f%C3%BC%C3%9Fe/x'), external('x'));
    assert.equal(locatorForOldLink(PATHS, '/uploads/x'), external('uploads/x'));
    assert.equal(locatorForOldLink(PATHS.slice(1), '/uploads/x'), undefined);
    assert.equal(locatorForOldLink(PATHS.slice(1), '/upload/'), undefined);
    assert.equal(locatorForOldLink(PATHS, '/'), undefined);
    assert.equal(locatorForOldLink([], '/upload/x'), undefined);
  });

  test('is recognized if a web server has cut off the path of public_url', () => {
    assert.equal(locatorForOldLink(PATHS.slice(1), '/a/b', ['/upload']), external('a/b'));
    assert.equal(locatorForOldLink(PATHS.slice(1), '/upload/a/b', ['/upload']), external('a/b'));
    assert.equal(
      locatorForOldLink(PATHS, '/a/b', ['/upload']),
      external('a/b'),
      'and that is closer than the root',
    );
  });

  test('reads the old paths once per second for all requests', async () => {
    let asked = 0;
    const ledger = { listOldPaths: async () => PATHS.slice(0, ++asked) };
    const { findLocator, cachedLocator } = createOldLinks({ ledger });
    assert.equal(cachedLocator('/upload/x'), undefined, 'the ledger has not been asked yet');
    const all = await Promise.all(Array.from({ length: 50 }, () => findLocator('/upload/x')));
    assert.deepEqual(new Set(all), new Set([external('upload/x')]));
    assert.equal(cachedLocator('/upload/x'), external('upload/x'));
    assert.equal(asked, 1);
  });

  test('reads the old paths again after the ledger has failed', async () => {
    let asked = 0;
    const ledger = {
      async listOldPaths() {
        asked += 1;
        if (asked === 1) throw new Error('busy');
        return PATHS;
      },
    };
    const { findLocator } = createOldLinks({ ledger });
    await assert.rejects(findLocator('/upload/x'), /busy/);
    assert.equal(await findLocator('/upload/x'), external('x'));
  });
});
