import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashedOwner, hashOf, isShared, namesOf, sha1OfJid } from '../../../src/base/owners.ts';
import vectors from '../../fixtures/signed-links.json' with { type: 'json' };

const { jid, user } = vectors.ejabberd;

describe('the names of owners', () => {
  test('know a JID by the hash that ejabberd puts into its links', () => {
    assert.equal(sha1OfJid(jid), user);
    assert.deepEqual(namesOf(jid), [jid, `sha1:${user}`]);
  });

  test('that are hashes stand for themselves', () => {
    assert.equal(hashedOwner(user.toUpperCase()), `sha1:${user}`);
    assert.equal(hashOf(`sha1:${user}`), user);
    assert.deepEqual(namesOf(`sha1:${user}`), [`sha1:${user}`]);
    for (const other of [jid, user, `sha1:${user}0`, 'sha1:x', 'external'])
      assert.equal(hashOf(other), undefined);
  });

  test('that many people share are told from those of one', () => {
    for (const name of ['external', 'import:metronome']) assert.ok(isShared(name), name);
    for (const name of [jid, `sha1:${user}`, 'external@example.org', 'node:juliet'])
      assert.ok(!isShared(name), name);
  });
});
