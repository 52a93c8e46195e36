import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jidSha1, ownerFromSha1 } from '../../../src/base/owners.ts';
import { explain } from '../../../src/uploads/explain/explain.ts';
import { iterateRemovals, iterateUploads } from '../../../src/uploads/list.ts';
import { access } from '../../support/test-services.ts';
import { JULIET, startTestSignedLinksServer, UUID } from '../../support/test-signed-links-server.ts';

const HASH = ownerFromSha1(jidSha1(JULIET));

describe('a JID with files under its hash', () => {
  test('lists all of them, including removed ones', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const { services } = server;
    await server.upload({ jid: JULIET });
    // Taken in by an import after the JID was known.
    const [one] = await services.ledger.listUploads({ limit: 1 });
    assert.ok(one);
    const file = {
      name: 'a',
      type: 'text/plain',
      size: 7,
      purpose: '',
      expiresAt: null,
      storedAt: services.clock(),
    };
    const imported = ['0', '1'].map((digit) => ({
      ...file,
      id: digit.repeat(26),
      locator: `external:${digit}`,
      owner: HASH,
      blob: `${digit.repeat(2)}/${digit.repeat(26)}.bin`,
    }));
    await services.ledger.importUploads({ uploads: imported });
    await services.ledger.remove({
      ids: ['1'.repeat(26)],
      reason: 'deleted',
      detail: '',
      now: services.clock(),
    });

    const listed = await Array.fromAsync(iterateUploads(services, { owner: JULIET }));
    assert.deepEqual(listed.map(({ owner }) => owner).toSorted(), [JULIET, HASH].toSorted());
    const gone = await Array.fromAsync(iterateRemovals(services, { owner: JULIET }));
    assert.deepEqual(
      gone.map(({ id }) => id),
      ['1'.repeat(26)],
    );
    const story = await explain(services, JULIET);
    assert.ok(story.about === 'owner');
    assert.deepEqual([story.usage.uploads, story.usage.bytes], [2, 107]);
  });
});

describe('the explanation of a signed link', () => {
  test('is found by the link in any form and with any path of public_url, and remains after the removal', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({
      access: access(),
      signedPaths: ['/upload/', '/share/upload/'].map((path) => ({ path, namespace: 'external' })),
    });
    const { services } = server;
    assert.equal((await server.putV(`${UUID}/très cool.jpg`, 'x')).status, 201);
    for (const link of [
      `/upload/${UUID}/tr%C3%A8s%20cool.jpg`,
      `https://h.example/upload/${UUID}/tr%c3%a8s%20cool.jpg?v=00`,
      `https://h.example/share/upload/${UUID}/très cool.jpg`,
    ]) {
      const story = await explain(services, link);
      assert.ok(story.about === 'upload', link);
      assert.equal(story.upload.name, 'très cool.jpg');
    }
    const [upload] = await services.ledger.listUploads({ limit: 1 });
    assert.ok(upload);
    await services.ledger.remove({
      ids: [upload.id],
      reason: 'deleted',
      detail: 'by hand',
      now: services.clock(),
    });
    const story = await explain(services, `https://h.example/upload/${UUID}/tr%C3%A8s%20cool.jpg`);
    assert.ok(story.about === 'removal');
    assert.equal(story.removal.detail, 'by hand');
  });
});
