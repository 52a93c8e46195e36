import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attemptBlobKey,
  fileKeyOfThumbnail,
  idInBlobKey,
  slotBlobKey,
  thumbnailBlobKey,
  thumbnailKeysOf,
} from '../../../src/base/blob-keys.ts';
import { randomId, timeOrderedId } from '../../../src/base/ids.ts';
import { isBlobKey } from '../../../src/blobs/contract.ts';

const id = timeOrderedId(Date.UTC(2026, 0, 1));
const slotKey = slotBlobKey(id, 'jpg');
const attemptKey = attemptBlobKey(slotKey, randomId());
const keys = [slotKey, attemptKey, attemptKey.replace('.', 'r.')];

test('the key of a thumbnail leads to its file and is never the key of a file', () => {
  for (const key of keys) {
    const thumbnail = thumbnailBlobKey(key, 320);
    assert.ok(isBlobKey(thumbnail));
    assert.equal(fileKeyOfThumbnail(thumbnail), key);
    assert.equal(idInBlobKey(thumbnail), id);
    assert.equal(fileKeyOfThumbnail(key), undefined);
    assert.ok(thumbnailKeysOf(key).includes(thumbnail));
  }
});

test('only files whose type is a picture can have thumbnails', () => {
  for (const extension of ['svg', 'bin', 'html', 'pdf', 'heic', 'mp4'])
    assert.deepEqual(thumbnailKeysOf(slotBlobKey(id, extension)), []);
});
