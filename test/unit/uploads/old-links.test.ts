import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha256Hex } from '../../../src/base/ids.ts';
import { createOldLinks, oldLocator } from '../../../src/uploads/old-links.ts';

const PATHS = [
  { path: '/', namespace: 'external' },
  { path: '/upload/', namespace: 'external' },
  { path: '/file_share/', namespace: 'file_share' },
  { path: '/füße/', namespace: 'external' },
];
const external = (rest: string | Buffer) => `external:${sha256Hex(rest)}`;

describe('an old link', () => {
  test('is the same file however it is encoded', () => {
    const same = [
      'tr%c3%a8s%20cool.jpg',
      'tr%C3%A8s%20cool.jpg',
      '%74r%C3%A8s cool.jpg',
      'tr\xc3\xa8s%20cool.jpg',
    ];
    for (const name of same) {
      assert.equal(oldLocator(PATHS, `/upload/id/${name}`), external('id/très cool.jpg'), name);
    }
    assert.equal(oldLocator(PATHS, '/upload/id/a+b'), external('id/a+b'));
    assert.equal(oldLocator(PATHS, '/upload/id/100%'), external('id/100%'));
    assert.equal(oldLocator(PATHS, '/upload/id/a%0ab%00'), external('id/a\nb\0'));
    assert.equal(oldLocator(PATHS, '/upload/id/%ff'), external(Buffer.from('id/\xff', 'latin1')));
    assert.notEqual(oldLocator(PATHS, '/upload/id/e%cc%81'), oldLocator(PATHS, '/upload/id/%c3%a9'));
  });

  test('belongs to the longest path that it lies below', () => {
    assert.equal(oldLocator(PATHS, '/file_share/x'), `file_share:${sha256Hex('x')}`);
    assert.equal(oldLocator(PATHS, '/file%5fshare/x'), `file_share:${sha256Hex('x')}`);
    assert.equal(oldLocator(PATHS, '/f%C3%BC%C3%9Fe/x'), external('x'));
    assert.equal(oldLocator(PATHS, '/uploads/x'), external('uploads/x'));
    assert.equal(oldLocator(PATHS.slice(1), '/uploads/x'), undefined);
    assert.equal(oldLocator(PATHS.slice(1), '/upload/'), undefined);
    assert.equal(oldLocator(PATHS, '/'), undefined);
    assert.equal(oldLocator([], '/upload/x'), undefined);
  });

  test('is known too where a web server has cut the path of public_url off', () => {
    assert.equal(oldLocator(PATHS.slice(1), '/a/b', ['/upload']), external('a/b'));
    assert.equal(oldLocator(PATHS.slice(1), '/upload/a/b', ['/upload']), external('a/b'));
    assert.equal(oldLocator(PATHS, '/a/b', ['/upload']), external('a/b'), 'and that is closer than the root');
  });

  test('costs one question for all requests of a second', async () => {
    let asked = 0;
    const ledger = { oldPaths: async () => PATHS.slice(0, ++asked) };
    const { locatorOf, quickly } = createOldLinks({ ledger });
    assert.equal(quickly('/upload/x'), undefined, 'nobody has been asked yet');
    const all = await Promise.all(Array.from({ length: 50 }, () => locatorOf('/upload/x')));
    assert.deepEqual(new Set(all), new Set([external('upload/x')]));
    assert.equal(quickly('/upload/x'), external('upload/x'));
    assert.equal(asked, 1);
  });

  test('is asked for again after the ledger has failed', async () => {
    let asked = 0;
    const ledger = {
      async oldPaths() {
        asked += 1;
        if (asked === 1) throw new Error('busy');
        return PATHS;
      },
    };
    const { locatorOf } = createOldLinks({ ledger });
    await assert.rejects(locatorOf('/upload/x'), /busy/);
    assert.equal(await locatorOf('/upload/x'), external('x'));
  });
});
