import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fault, fsck } from '../../../src/uploads/fsck.ts';
import { remove } from '../../../src/uploads/remove.ts';
import { why } from '../../../src/uploads/why.ts';
import { DAY, openHouse, type TestHouse } from './house.ts';

async function check({ deps }: TestHouse, repair = false): Promise<Fault[]> {
  const faults: Fault[] = [];
  await fsck(deps, { repair, found: (fault) => faults.push(fault) });
  return faults;
}

async function* bytes(text: string): AsyncGenerator<Buffer[]> {
  yield [Buffer.from(text)];
}

describe('fsck', () => {
  test('finds nothing in a sound house, pending slots included', async (t) => {
    const house = await openHouse(t);
    await house.upload();
    await house.ask();
    assert.deepEqual(await check(house), []);
  });

  test('finds lost bytes, and mends the ledger with the reason on record', async (t) => {
    const house = await openHouse(t);
    const slot = await house.upload();
    const upload = await house.deps.ledger.find(slot.id);
    await house.deps.blobs.remove([upload?.blob ?? '']);
    assert.deepEqual(
      (await check(house)).map(({ kind }) => kind),
      ['missing'],
    );
    await check(house, true);
    assert.deepEqual(await check(house), []);
    assert.equal((await house.deps.ledger.findRemoval(slot.id))?.reason, 'missing');
  });

  test('finds bytes of another length, and keeps them', async (t) => {
    const house = await openHouse(t);
    const slot = await house.upload();
    const blob = (await house.deps.ledger.find(slot.id))?.blob ?? '';
    await house.deps.blobs.remove([blob]);
    await house.deps.blobs.put(blob, bytes('short'));
    assert.deepEqual(await check(house, true), [
      { kind: 'wrong_size', id: slot.id, expected: 100, found: 5 },
    ]);
    assert.deepEqual(await check(house), []);
    assert.equal((await house.deps.ledger.usage('romeo@example.org')).bytes, 5);
  });

  test('finds blobs that belong to nobody, and removes them', async (t) => {
    const house = await openHouse(t);
    await house.deps.blobs.put('zz/zz00000000000000000000000.txt', bytes('left over'));
    assert.deepEqual(await check(house, true), [
      { kind: 'orphan', key: 'zz/zz00000000000000000000000.txt', size: 9 },
    ]);
    assert.deepEqual(await check(house), []);
  });

  test('goes through more than one page', async (t) => {
    const house = await openHouse(t);
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => house.upload({ jid: `user${i}@example.org`, size: 1 })),
    );
    const report = await fsck(house.deps, { repair: false, found: (fault) => assert.fail(fault.kind) });
    assert.deepEqual([report.uploads, report.blobs, report.faults], [600, 600, 0]);
  });
});

describe('why', () => {
  test('tells which rule decides for a JID, and what it uses', async (t) => {
    const house = await openHouse(t);
    await house.upload();
    const story = await why(house.deps, 'Romeo@example.org/garden');
    assert.ok(story.about === 'owner');
    assert.deepEqual([story.owner, story.decision.index, story.usage.uploads], ['romeo@example.org', 0, 1]);
  });

  test('tells of a file by its links and by its id', async (t) => {
    const house = await openHouse(t);
    const slot = await house.upload();
    const end = house.deps.clock() + 30 * DAY;
    for (const target of [
      slot.id,
      `https://x.example/share/files/${slot.id}/a.jpg`,
      `/put/${slot.token}/a.jpg`,
    ]) {
      const story = await why(house.deps, target);
      assert.ok(story.about === 'upload', target);
      assert.deepEqual([story.upload.id, story.endsAt], [slot.id, end]);
    }
  });

  test('tells what became of a file that is gone', async (t) => {
    const house = await openHouse(t);
    const slot = await house.upload();
    await remove(house.deps, { ids: [slot.id], reason: 'deleted', detail: 'by the admin' });
    const story = await why(house.deps, `https://x.example/files/${slot.id}/a.jpg`);
    assert.ok(story.about === 'removal');
    assert.equal(story.removal.detail, 'by the admin');
  });

  test('knows nothing of what was never here', async (t) => {
    const house = await openHouse(t);
    for (const target of [
      'https://x.example/files/0123456789abcdefghjkmnpqrs/a',
      'https://x.example/',
      '@@',
    ]) {
      assert.equal((await why(house.deps, target)).about, 'nothing', target);
    }
  });
});
