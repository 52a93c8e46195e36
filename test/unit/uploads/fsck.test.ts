import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain } from '../../../src/uploads/explain.ts';
import { type FsckFault, fsck } from '../../../src/uploads/fsck.ts';
import { removeUploads } from '../../../src/uploads/remove.ts';
import { DAY, openTestServices, type TestServices } from '../../support/test-services.ts';

async function check({ services }: TestServices, repair = false): Promise<FsckFault[]> {
  const faults: FsckFault[] = [];
  await fsck(services, { repair, onFault: (fault) => faults.push(fault) });
  return faults;
}

async function* bytes(text: string): AsyncGenerator<Buffer[]> {
  yield [Buffer.from(text)];
}

describe('fsck', () => {
  test('finds nothing in a sound house, pending slots included', async (t) => {
    const house = await openTestServices(t);
    await house.upload();
    await house.requestSlot();
    assert.deepEqual(await check(house), []);
  });

  test('finds lost bytes, and mends the ledger with the reason on record', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.upload();
    const upload = await house.services.ledger.find(slot.id);
    await house.services.blobs.remove([upload?.blob ?? '']);
    assert.deepEqual(
      (await check(house)).map(({ kind }) => kind),
      ['missing'],
    );
    await check(house, true);
    assert.deepEqual(await check(house), []);
    assert.equal((await house.services.ledger.findRemoval(slot.id))?.reason, 'missing');
  });

  test('finds bytes of another length, and keeps them', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.upload();
    const blob = (await house.services.ledger.find(slot.id))?.blob ?? '';
    await house.services.blobs.remove([blob]);
    await house.services.blobs.put(blob, bytes('short'));
    assert.deepEqual(await check(house, true), [
      { kind: 'wrong_size', id: slot.id, expected: 100, found: 5 },
    ]);
    assert.deepEqual(await check(house), []);
    assert.equal((await house.services.ledger.usage('romeo@example.org')).bytes, 5);
  });

  test('finds blobs that belong to nobody, and removes them', async (t) => {
    const house = await openTestServices(t);
    await house.services.blobs.put('zz/zz00000000000000000000000.txt', bytes('left over'));
    assert.deepEqual(await check(house, true), [
      { kind: 'orphan', key: 'zz/zz00000000000000000000000.txt', size: 9 },
    ]);
    assert.deepEqual(await check(house), []);
  });

  test('goes through more than one page', async (t) => {
    const house = await openTestServices(t);
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => house.upload({ jid: `user${i}@example.org`, size: 1 })),
    );
    const report = await fsck(house.services, { repair: false, onFault: (fault) => assert.fail(fault.kind) });
    assert.deepEqual([report.uploads, report.blobs, report.faults], [600, 600, 0]);
  });
});

describe('why', () => {
  test('tells which rule decides for a JID, and what it uses', async (t) => {
    const house = await openTestServices(t);
    await house.upload();
    const story = await explain(house.services, 'Romeo@example.org/garden');
    assert.ok(story.about === 'owner');
    assert.deepEqual([story.owner, story.decision.index, story.usage.uploads], ['romeo@example.org', 0, 1]);
  });

  test('tells of a file by its links and by its id', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.upload();
    const end = house.services.clock() + 30 * DAY;
    for (const target of [
      slot.id,
      `https://x.example/share/files/${slot.id}/a.jpg`,
      `/put/${slot.token}/a.jpg`,
    ]) {
      const story = await explain(house.services, target);
      assert.ok(story.about === 'upload', target);
      assert.deepEqual([story.upload.id, story.endsAt], [slot.id, end]);
    }
  });

  test('tells what became of a file that is gone', async (t) => {
    const house = await openTestServices(t);
    const slot = await house.upload();
    await removeUploads(house.services, { ids: [slot.id], reason: 'deleted', detail: 'by the admin' });
    const story = await explain(house.services, `https://x.example/files/${slot.id}/a.jpg`);
    assert.ok(story.about === 'removal');
    assert.equal(story.removal.detail, 'by the admin');
  });

  test('knows nothing of what was never here', async (t) => {
    const house = await openTestServices(t);
    for (const target of [
      'https://x.example/files/0123456789abcdefghjkmnpqrs/a',
      'https://x.example/',
      '@@',
    ]) {
      assert.equal((await explain(house.services, target)).about, 'unknown', target);
    }
  });
});
