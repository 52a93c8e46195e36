import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isSharedOwner,
  jidSha1,
  ownerFromSha1,
  ownerNamesFor,
  sha1FromOwner,
} from '../../../src/base/owners.ts';
import vectors from '../../fixtures/signed-links.json' with { type: 'json' };

const { jid, user } = vectors.ejabberd;

describe('the names of owners', () => {
  test('know a JID by the hash that ejabberd puts into its links', () => {
    assert.equal(jidSha1(jid), user);
    assert.deepEqual(ownerNamesFor(jid), [jid, `sha1:${user}`]);
  });

  test('that are hashes stand for themselves', () => {
    assert.equal(ownerFromSha1(user.toUpperCase()), `sha1:${user}`);
    assert.equal(sha1FromOwner(`sha1:${user}`), user);
    assert.deepEqual(ownerNamesFor(`sha1:${user}`), [`sha1:${user}`]);
    for (const other of [jid, user, `sha1:${user}0`, 'sha1:x', 'external'])
      assert.equal(sha1FromOwner(other), undefined);
  });

  test('that several users share are distinguished from those of one', () => {
    for (const name of ['external', 'import:metronome']) assert.ok(isSharedOwner(name), name);
    for (const name of [jid, `sha1:${user}`, 'external@example.org', 'node:juliet'])
      assert.ok(!isSharedOwner(name), name);
  });
});
