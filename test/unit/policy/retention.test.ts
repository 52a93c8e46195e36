import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Upload } from '../../../src/base/upload-records.ts';
import {
  choosePurpose,
  expiryTime,
  isDownloadable,
  maxAgeFor,
  type Retention,
  toLifetimes,
} from '../../../src/policy/retention.ts';

const DAY = 86_400_000;

const retention: Retention = {
  max_age: 30 * DAY,
  soft_quota: 0,
  purposes: { profile: { max_age: null }, ephemeral: { max_age: 7 * DAY }, message: {} },
  name_prefixes: { chat_: 'message', story_: 'ephemeral', blog_: 'permanent' },
};

function stored(more: Partial<Upload> = {}): Upload {
  return {
    id: 'i',
    locator: 'i',
    owner: 'user@example.org',
    endpoint: 'component',
    purpose: '',
    name: 'a.jpg',
    type: 'image/jpeg',
    size: 1,
    state: 'stored',
    blob: 'ab/i.jpg',
    createdAt: 1000,
    deadline: 2000,
    storedAt: 1500,
    expiresAt: null,
    ...more,
  };
}

describe('how long uploads are kept', () => {
  test('a purpose has its own age, and without one the general age', () => {
    assert.equal(maxAgeFor(retention, ''), 30 * DAY);
    assert.equal(maxAgeFor(retention, 'ephemeral'), 7 * DAY);
    assert.equal(maxAgeFor(retention, 'profile'), null);
    assert.equal(maxAgeFor(retention, 'message'), 30 * DAY);
    assert.equal(maxAgeFor(retention, 'no longer offered'), 30 * DAY);
  });

  test('an upload expires by its age or at the time in its request, whichever is earlier', () => {
    assert.equal(expiryTime(retention, stored()), 1500 + 30 * DAY);
    assert.equal(expiryTime(retention, stored({ expiresAt: 5000 })), 5000);
    assert.equal(
      expiryTime(retention, stored({ purpose: 'ephemeral', expiresAt: 100 * DAY })),
      1500 + 7 * DAY,
    );
    assert.equal(expiryTime(retention, stored({ purpose: 'profile' })), null);
    assert.equal(expiryTime(retention, stored({ purpose: 'profile', expiresAt: 9 })), 9);
  });

  test('it can be downloaded from the time when it is stored until just before it expires', () => {
    const upload = stored({ expiresAt: 5000 });
    assert.equal(isDownloadable(retention, upload, 4999), true);
    assert.equal(isDownloadable(retention, upload, 5000), false);
    assert.equal(isDownloadable(retention, stored({ state: 'receiving', storedAt: null }), 1600), false);
    assert.equal(isDownloadable(retention, stored({ purpose: 'profile' }), Number.MAX_SAFE_INTEGER), true);
  });
});

describe('purposes', () => {
  test('the requested purpose wins over the name', () => {
    assert.equal(choosePurpose(retention, 'story_1.jpg', 'message'), 'message');
  });

  test('the prefix of the name sets the purpose if the client sends none and the purpose is configured', () => {
    assert.equal(choosePurpose(retention, 'story_1.jpg', undefined), 'ephemeral');
    assert.equal(choosePurpose(retention, 'chat_1.jpg', undefined), 'message');
    assert.equal(choosePurpose(retention, 'blog_1.jpg', undefined), 'message');
    assert.equal(choosePurpose(retention, 'my story_1.jpg', undefined), 'message');
  });

  test('without a purpose it is a message; if messages have no rule, it has none', () => {
    const silent = { ...retention, purposes: { ephemeral: {} } };
    assert.equal(choosePurpose(retention, 'a.jpg', undefined), 'message');
    assert.equal(choosePurpose(silent, 'a.jpg', undefined), '');
    assert.equal(choosePurpose(silent, 'a.jpg', 'message'), '', 'asking for the default is always fine');
    assert.equal(choosePurpose(silent, 'story_1.jpg', 'message'), '', 'and wins over the name');
    assert.equal(
      choosePurpose(silent, 'a.jpg', 'permanent'),
      'permanent',
      'which is refused for not being offered',
    );
  });

  test('files of a purpose without a maximum age are never evicted', () => {
    const lifetimes = toLifetimes(retention);
    assert.deepEqual(lifetimes.profile, { maxAge: null, evictable: false });
    assert.deepEqual(lifetimes.ephemeral, { maxAge: 7 * DAY, evictable: true });
    const unlimited = toLifetimes({ ...retention, max_age: null });
    assert.deepEqual(unlimited[''], { maxAge: null, evictable: true });
    assert.deepEqual(unlimited.message, { maxAge: null, evictable: true }, 'an ordinary upload may be taken');
    assert.deepEqual(unlimited.profile, { maxAge: null, evictable: false });
  });
});
