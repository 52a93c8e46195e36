import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashedOwner, sha1OfJid } from '../../../src/base/owners.ts';
import { listRemovals, listUploads } from '../../../src/uploads/list.ts';
import { why } from '../../../src/uploads/why.ts';
import { JULIET, openSignedHouse, UUID } from '../../support/signed-links.ts';
import { access } from './house.ts';

const HASH = hashedOwner(sha1OfJid(JULIET));

describe('a JID some of whose files are known by its hash only', () => {
  test('finds them all in its list, those that are gone too', async (t) => {
    const house = await openSignedHouse(t);
    const { deps } = house;
    await house.upload({ jid: JULIET });
    // Taken in by an import after the JID was known.
    const [one] = await deps.ledger.listUploads({ limit: 1 });
    assert.ok(one);
    const file = {
      name: 'a',
      type: 'text/plain',
      size: 7,
      purpose: '',
      expiresAt: null,
      storedAt: deps.clock(),
    };
    const adopted = ['0', '1'].map((digit) => ({
      ...file,
      id: digit.repeat(26),
      locator: `external:${digit}`,
      owner: HASH,
      blob: `${digit.repeat(2)}/${digit.repeat(26)}.bin`,
    }));
    await deps.ledger.adopt({ uploads: adopted });
    await deps.ledger.remove({ ids: ['1'.repeat(26)], reason: 'deleted', detail: '', now: deps.clock() });

    const listed = await Array.fromAsync(listUploads(deps, { owner: JULIET }));
    assert.deepEqual(listed.map(({ owner }) => owner).toSorted(), [JULIET, HASH].toSorted());
    const gone = await Array.fromAsync(listRemovals(deps, { owner: JULIET }));
    assert.deepEqual(
      gone.map(({ id }) => id),
      ['1'.repeat(26)],
    );
    const story = await why(deps, JULIET);
    assert.ok(story.about === 'owner');
    assert.deepEqual([story.usage.uploads, story.usage.bytes], [2, 107]);
  });
});

describe('the story of a signed link', () => {
  test('is told by the link itself, in any form and with any path of public_url, and stays when the file is gone', async (t) => {
    const house = await openSignedHouse(t);
    house.rule({
      access: access(),
      signedPaths: ['/upload/', '/share/upload/'].map((path) => ({ path, namespace: 'external' })),
    });
    const { deps } = house;
    assert.equal((await house.putV(`${UUID}/très cool.jpg`, 'x')).status, 201);
    for (const link of [
      `/upload/${UUID}/tr%C3%A8s%20cool.jpg`,
      `https://h.example/upload/${UUID}/tr%c3%a8s%20cool.jpg?v=00`,
      `https://h.example/share/upload/${UUID}/très cool.jpg`,
    ]) {
      const story = await why(deps, link);
      assert.ok(story.about === 'upload', link);
      assert.equal(story.upload.name, 'très cool.jpg');
    }
    const [upload] = await deps.ledger.listUploads({ limit: 1 });
    assert.ok(upload);
    await deps.ledger.remove({ ids: [upload.id], reason: 'deleted', detail: 'by hand', now: deps.clock() });
    const story = await why(deps, `https://h.example/upload/${UUID}/tr%C3%A8s%20cool.jpg`);
    assert.ok(story.about === 'removal');
    assert.equal(story.removal.detail, 'by hand');
  });
});
