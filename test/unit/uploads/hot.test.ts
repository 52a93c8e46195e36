import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Upload } from '../../../src/base/records.ts';
import { createHotFiles, type HotFiles } from '../../../src/uploads/hot.ts';

function stored(id: string): Upload {
  return {
    id,
    locator: id,
    owner: 'romeo@example.org',
    door: 'component',
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

function add(hot: HotFiles, id: string, body?: Buffer): void {
  hot.end(hot.begin(id), stored(id));
  if (body) hot.keepBody(stored(id), body);
}

describe('the memory of hot files', () => {
  test('knows what it was told, with its bytes', () => {
    const hot = createHotFiles();
    add(hot, 'a', Buffer.from('bytes'));
    assert.equal(hot.get('a')?.upload.id, 'a');
    assert.equal(String(hot.get('a')?.body), 'bytes');
    assert.equal(hot.get('b'), undefined);
  });

  test('lets the least recently asked go when there are too many files or bytes', () => {
    const few = createHotFiles({ maxFiles: 2 });
    add(few, 'a');
    add(few, 'b');
    few.get('a');
    add(few, 'c');
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => few.get(id)?.upload.id),
      ['a', undefined, 'c'],
    );

    const small = createHotFiles({ maxBytes: 25 });
    for (const id of ['a', 'b', 'c']) add(small, id, Buffer.alloc(10));
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => small.get(id)?.body?.length),
      [undefined, 10, 10],
    );
  });

  test('forgets at once what was removed, also while it is being looked up', () => {
    const hot = createHotFiles();
    add(hot, 'a', Buffer.from('bytes'));
    const lookUp = hot.begin('a');
    hot.forget('a');
    assert.equal(hot.get('a'), undefined);
    hot.end(lookUp, stored('a'));
    assert.equal(hot.get('a'), undefined, 'what was asked before the removal may be outdated');
  });

  test('trusts a look-up only for a while from its beginning', () => {
    const hot = createHotFiles({ trust: 0 });
    add(hot, 'a');
    assert.equal(hot.get('a'), undefined);
  });

  test('keeps the bytes over look-ups, but never those of another file at the same place', () => {
    const hot = createHotFiles();
    add(hot, 'a', Buffer.from('bytes'));
    add(hot, 'a');
    assert.equal(String(hot.get('a')?.body), 'bytes');
    hot.end(hot.begin('a'), { ...stored('b'), locator: 'a' });
    assert.equal(hot.get('a')?.body, undefined);
    hot.keepBody(stored('a'), Buffer.from('old bytes'));
    assert.equal(hot.get('a')?.body, undefined);
  });

  test('keeps what a door worked out as long as the upload is the same', () => {
    const hot = createHotFiles();
    add(hot, 'a');
    const file = hot.get('a');
    assert.ok(file);
    file.derived = 'headers';
    add(hot, 'a');
    assert.equal(hot.get('a')?.derived, 'headers');
    hot.end(hot.begin('a'), { ...stored('a'), expiresAt: 5 });
    assert.equal(hot.get('a')?.derived, undefined);
  });

  test('remembers nothing that is not stored', () => {
    const hot = createHotFiles();
    add(hot, 'a');
    assert.equal(hot.end(hot.begin('a'), { ...stored('a'), state: 'receiving' }), undefined);
    assert.equal(hot.get('a'), undefined);
    assert.equal(hot.end(hot.begin('b'), undefined), undefined);
  });
});
