import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain } from '../../../src/uploads/explain.ts';
import { type FsckFault, fsck, TooManyRepairsError } from '../../../src/uploads/fsck.ts';
import { removeUploads } from '../../../src/uploads/remove.ts';
import { DAY, openTestServices, type TestServices } from '../../support/test-services.ts';

const HOUR = 3600_000;

/** Checks or repairs. Forces the repair, because a few files are more than a tenth of all in a small store. */
async function check({ services }: TestServices, repair = false): Promise<FsckFault[]> {
  const faults: FsckFault[] = [];
  await fsck(services, { repair, force: repair, onFault: (fault) => faults.push(fault) });
  return faults;
}

/** Sets the clock, so that all files of the store were written `ms` ago. */
function passSinceWritten({ services, advance }: TestServices, ms: number): void {
  advance(Date.now() + ms - services.clock());
}

async function* bytes(text: string): AsyncGenerator<Buffer[]> {
  yield [Buffer.from(text)];
}

describe('fsck', () => {
  test('reports no fault in a consistent store with pending slots', async (t) => {
    const env = await openTestServices(t);
    await env.upload();
    await env.requestSlot();
    assert.deepEqual(await check(env), []);
  });

  test('reports missing bytes, and repairs the ledger with a recorded reason', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.upload();
    const upload = await env.services.ledger.find(slot.id);
    await env.services.blobs.remove([upload?.blob ?? '']);
    assert.deepEqual(
      (await check(env)).map(({ kind }) => kind),
      ['missing'],
    );
    await check(env, true);
    assert.deepEqual(await check(env), []);
    assert.equal((await env.services.ledger.findRemoval(slot.id))?.reason, 'missing');
  });

  test('reports a blob of another size, and keeps its bytes', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.upload();
    const blob = (await env.services.ledger.find(slot.id))?.blob ?? '';
    await env.services.blobs.remove([blob]);
    await env.services.blobs.put(blob, bytes('short'));
    assert.deepEqual(await check(env, true), [{ kind: 'wrong_size', id: slot.id, expected: 100, found: 5 }]);
    assert.deepEqual(await check(env), []);
    assert.equal((await env.services.ledger.usage('romeo@example.org')).bytes, 5);
  });

  test('reports blobs without an upload, and removes them', async (t) => {
    const env = await openTestServices(t);
    await env.services.blobs.put('zz/zz00000000000000000000000.txt', bytes('left over'));
    passSinceWritten(env, 2 * HOUR);
    assert.deepEqual(await check(env, true), [
      { kind: 'orphan', key: 'zz/zz00000000000000000000000.txt', size: 9 },
    ]);
    assert.deepEqual(await check(env), []);
  });

  test('does not take files younger than an hour for orphans', async (t) => {
    const env = await openTestServices(t);
    await env.services.blobs.put('zz/zz00000000000000000000000.txt', bytes('new'));
    passSinceWritten(env, HOUR / 2);
    assert.deepEqual(await check(env, true), []);
    assert.equal(await env.services.blobs.size('zz/zz00000000000000000000000.txt'), 3);
  });

  test('leaves the bytes alone that an import has announced, whatever their age', async (t) => {
    const env = await openTestServices(t);
    const { ledger, blobs } = env.services;
    const [id, blob] = ['zz000000000000000000000000', 'zz/zz000000000000000000000000.txt'];
    await blobs.put(blob, bytes('of an import'));
    passSinceWritten(env, 2 * HOUR);
    await ledger.announceImports({ imports: [{ id, blob }], now: env.services.clock() });
    assert.deepEqual(await check(env, true), []);
    assert.equal(await blobs.size(blob), 12);
  });

  test('repairs no more than a tenth of all files without force, and says the number first', async (t) => {
    const env = await openTestServices(t);
    const slots = await Promise.all(Array.from({ length: 19 }, () => env.upload({ size: 1 })));
    const blobs = await Promise.all(
      slots.map(async ({ id }) => (await env.services.ledger.find(id))?.blob ?? ''),
    );
    await env.services.blobs.remove(blobs.slice(0, 2));
    const faults: FsckFault[] = [];
    const repair = () => fsck(env.services, { repair: true, onFault: (fault) => faults.push(fault) });
    await assert.rejects(repair, (error) => {
      assert.ok(error instanceof TooManyRepairsError);
      assert.deepEqual([error.files, error.total], [2, 19]);
      return true;
    });
    assert.equal((await env.services.ledger.stats()).uploads, 19);
    await env.upload({ size: 1 });
    await repair();
    assert.equal((await env.services.ledger.stats()).uploads, 18);
  });

  test('repairs nothing while the ledger is moved, and deletes no file after it', async (t) => {
    const env = await openTestServices(t);
    const { ledger, blobs } = env.services;
    await blobs.put('zz/zz00000000000000000000000.txt', bytes('of the new server'));
    passSinceWritten(env, 2 * HOUR);
    for (const state of ['closing', 'moved'] as const) {
      await ledger.setMigrationState(state);
      await assert.rejects(check(env, true), /moved while porter fsck/);
      assert.equal(await blobs.size('zz/zz00000000000000000000000.txt'), 17);
    }
  });

  test('checks more than one page', async (t) => {
    const env = await openTestServices(t);
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => env.upload({ jid: `user${i}@example.org`, size: 1 })),
    );
    const report = await fsck(env.services, { repair: false, onFault: (fault) => assert.fail(fault.kind) });
    assert.deepEqual([report.uploads, report.blobs, report.faults], [600, 600, 0]);
  });
});

describe('why', () => {
  test('gives the access rule and the usage of a JID', async (t) => {
    const env = await openTestServices(t);
    await env.upload();
    const explanation = await explain(env.services, 'Romeo@example.org/garden');
    assert.ok(explanation.about === 'owner');
    assert.deepEqual(
      [explanation.owner, explanation.decision.index, explanation.usage.uploads],
      ['romeo@example.org', 0, 1],
    );
  });

  test('finds a file by its links and by its id', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.upload();
    const end = env.services.clock() + 30 * DAY;
    for (const target of [
      slot.id,
      `https://x.example/share/files/${slot.id}/a.jpg`,
      `/put/${slot.token}/a.jpg`,
    ]) {
      const explanation = await explain(env.services, target);
      assert.ok(explanation.about === 'upload', target);
      assert.deepEqual([explanation.upload.id, explanation.endsAt], [slot.id, end]);
    }
  });

  test('gives the removal record of a removed file', async (t) => {
    const env = await openTestServices(t);
    const slot = await env.upload();
    await removeUploads(env.services, { ids: [slot.id], reason: 'deleted', detail: 'by the admin' });
    const explanation = await explain(env.services, `https://x.example/files/${slot.id}/a.jpg`);
    assert.ok(explanation.about === 'removal');
    assert.equal(explanation.removal.detail, 'by the admin');
  });

  test('reports unknown links, ids and names as unknown', async (t) => {
    const env = await openTestServices(t);
    for (const target of [
      'https://x.example/files/0123456789abcdefghjkmnpqrs/a',
      'https://x.example/',
      '@@',
    ]) {
      assert.equal((await explain(env.services, target)).about, 'unknown', target);
    }
  });
});
