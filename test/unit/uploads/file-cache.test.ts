import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Upload } from '../../../src/base/upload-records.ts';
import { createFileCache, type FileCache } from '../../../src/uploads/file-cache.ts';

function stored(id: string): Upload {
  return {
    id,
    locator: id,
    owner: 'romeo@example.org',
    endpoint: 'component',
    purpose: '',
    name: 'a.jpg',
    type: 'image/jpeg',
    size: 10,
    state: 'stored',
    blob: `ab/${id}.jpg`,
    createdAt: 0,
    deadline: 1,
    storedAt: 1,
    expiresAt: null,
  };
}

function add(cache: FileCache, id: string, body?: Buffer): void {
  cache.endLookup(cache.beginLookup(id), stored(id));
  if (body) cache.setBody(stored(id), body);
}

describe('the file cache', () => {
  test('returns a cached file with its bytes', () => {
    const cache = createFileCache();
    add(cache, 'a', Buffer.from('bytes'));
    assert.equal(cache.get('a')?.upload.id, 'a');
    assert.equal(String(cache.get('a')?.body), 'bytes');
    assert.equal(cache.get('b'), undefined);
  });

  test('evicts the least recently used files when there are too many files or bytes', () => {
    const few = createFileCache({ maxFiles: 2 });
    add(few, 'a');
    add(few, 'b');
    few.get('a');
    add(few, 'c');
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => few.get(id)?.upload.id),
      ['a', undefined, 'c'],
    );

    const small = createFileCache({ maxBytes: 25 });
    for (const id of ['a', 'b', 'c']) add(small, id, Buffer.alloc(10));
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => small.get(id)?.body?.length),
      [undefined, 10, 10],
    );
  });

  test('drops an invalidated file at once, even during a lookup', () => {
    const cache = createFileCache();
    add(cache, 'a', Buffer.from('bytes'));
    const lookUp = cache.beginLookup('a');
    cache.invalidate('a');
    assert.equal(cache.get('a'), undefined);
    cache.endLookup(lookUp, stored('a'));
    assert.equal(cache.get('a'), undefined, 'what was asked before the removal may be outdated');
  });

  test('keeps an entry fresh for a limited time from the start of its lookup', () => {
    const cache = createFileCache({ ttlMs: 0 });
    add(cache, 'a');
    assert.equal(cache.get('a'), undefined);
  });

  test('keeps the bytes across lookups, but not those of another upload with the same locator', () => {
    const cache = createFileCache();
    add(cache, 'a', Buffer.from('bytes'));
    add(cache, 'a');
    assert.equal(String(cache.get('a')?.body), 'bytes');
    cache.endLookup(cache.beginLookup('a'), { ...stored('b'), locator: 'a' });
    assert.equal(cache.get('a')?.body, undefined);
    cache.setBody(stored('a'), Buffer.from('old bytes'));
    assert.equal(cache.get('a')?.body, undefined);
  });

  test('keeps computed headers as long as the upload is the same', () => {
    const cache = createFileCache();
    add(cache, 'a');
    const file = cache.get('a');
    assert.ok(file);
    file.headers = 'headers';
    add(cache, 'a');
    assert.equal(cache.get('a')?.headers, 'headers');
    cache.endLookup(cache.beginLookup('a'), { ...stored('a'), expiresAt: 5 });
    assert.equal(cache.get('a')?.headers, undefined);
  });

  test('does not cache uploads that are not stored', () => {
    const cache = createFileCache();
    add(cache, 'a');
    assert.equal(cache.endLookup(cache.beginLookup('a'), { ...stored('a'), state: 'receiving' }), undefined);
    assert.equal(cache.get('a'), undefined);
    assert.equal(cache.endLookup(cache.beginLookup('b'), undefined), undefined);
  });
});
