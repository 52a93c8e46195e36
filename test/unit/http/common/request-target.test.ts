import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createTargetNormalizer } from '../../../../src/http/common/request-target.ts';

const isDataPath = (path: string) => path.startsWith('/put/') || path.startsWith('/files/');

describe('the path of a request', () => {
  test('is the same whether the web server in front cuts off the path of public_url or not', () => {
    const read = createTargetNormalizer(
      ['https://example.org/share', 'https://cdn.example.org/a/b/'],
      isDataPath,
    );
    for (const [target, path] of [
      ['/put/x/y.jpg', '/put/x/y.jpg'],
      ['/share/put/x/y.jpg', '/put/x/y.jpg'],
      ['/a/b/files/x', '/files/x'],
      ['/share/slot/?jid=a', '/slot/?jid=a'],
      ['/slot/?jid=/share/', '/slot/?jid=/share/'],
      ['/share', '/'],
      ['/share?x', '/?x'],
      ['/shared/x', '/shared/x'],
      ['/', '/'],
      ['*', '*'],
    ] as const) {
      assert.equal(read(target), path, target);
    }
  });

  test('is found if the base path equals a path of Porter', () => {
    const read = createTargetNormalizer(['https://example.org/files'], isDataPath);
    assert.equal(read('/files/files/x'), '/files/x');
    assert.equal(read('/files/x'), '/files/x');
    assert.equal(read('/files/put/x'), '/put/x');
  });

  test('may be an absolute URL', () => {
    const read = createTargetNormalizer(['https://example.org/share'], isDataPath);
    assert.equal(read('http://example.org/share/files/x?y'), '/files/x?y');
    assert.equal(read('HTTP://example.org'), '/');
    assert.equal(read('http://example.org?x'), '/?x');
  });

  test('without a base stays unchanged, encoding included', () => {
    const read = createTargetNormalizer(['https://example.org', null, undefined], isDataPath);
    fc.assert(
      fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
        const target = `${path === '' ? '/' : path}?${query}`;
        assert.equal(read(target), target);
      }),
    );
  });
});
