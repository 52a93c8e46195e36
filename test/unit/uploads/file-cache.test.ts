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

function add(hot: FileCache, id: string, body?: Buffer): void {
  hot.endLookup(hot.beginLookup(id), stored(id));
  if (body) hot.setBody(stored(id), body);
}

describe('the memory of hot files', () => {
  test('knows what it was told, with its bytes', () => {
    const hot = createFileCache();
    add(hot, 'a', Buffer.from('bytes'));
    assert.equal(hot.get('a')?.upload.id, 'a');
    assert.equal(String(hot.get('a')?.body), 'bytes');
    assert.equal(hot.get('b'), undefined);
  });

  test('lets the least recently asked go when there are too many files or bytes', () => {
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

  test('forgets at once what was removed, also while it is being looked up', () => {
    const hot = createFileCache();
    add(hot, 'a', Buffer.from('bytes'));
    const lookUp = hot.beginLookup('a');
    hot.invalidate('a');
    assert.equal(hot.get('a'), undefined);
    hot.endLookup(lookUp, stored('a'));
    assert.equal(hot.get('a'), undefined, 'what was asked before the removal may be outdated');
  });

  test('trusts a look-up only for a while from its beginning', () => {
    const hot = createFileCache({ ttlMs: 0 });
    add(hot, 'a');
    assert.equal(hot.get('a'), undefined);
  });

  test('keeps the bytes over look-ups, but never those of another file at the same place', () => {
    const hot = createFileCache();
    add(hot, 'a', Buffer.from('bytes'));
    add(hot, 'a');
    assert.equal(String(hot.get('a')?.body), 'bytes');
    hot.endLookup(hot.beginLookup('a'), { ...stored('b'), locator: 'a' });
    assert.equal(hot.get('a')?.body, undefined);
    hot.setBody(stored('a'), Buffer.from('old bytes'));
    assert.equal(hot.get('a')?.body, undefined);
  });

  test('keeps what a door worked out as long as the upload is the same', () => {
    const hot = createFileCache();
    add(hot, 'a');
    const file = hot.get('a');
    assert.ok(file);
    file.headers = 'headers';
    add(hot, 'a');
    assert.equal(hot.get('a')?.headers, 'headers');
    hot.endLookup(hot.beginLookup('a'), { ...stored('a'), expiresAt: 5 });
    assert.equal(hot.get('a')?.headers, undefined);
  });

  test('remembers nothing that is not stored', () => {
    const hot = createFileCache();
    add(hot, 'a');
    assert.equal(hot.endLookup(hot.beginLookup('a'), { ...stored('a'), state: 'receiving' }), undefined);
    assert.equal(hot.get('a'), undefined);
    assert.equal(hot.endLookup(hot.beginLookup('b'), undefined), undefined);
  });
});
