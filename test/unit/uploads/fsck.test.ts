import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { slotBlobKey, thumbnailBlobKey } from '../../../src/base/blob-keys.ts';
import { timeOrderedId } from '../../../src/base/ids.ts';
import { explain } from '../../../src/uploads/explain/explain.ts';
import type { FsckFault } from '../../../src/uploads/fsck/faults.ts';
import { fsck } from '../../../src/uploads/fsck/fsck.ts';
import { StaleLedgerError, TooManyRepairsError } from '../../../src/uploads/fsck/repair-limit.ts';
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

  test('moves a file of another size to lost+found, and removes its upload with a recorded reason', async (t) => {
    const env = await openTestServices(t);
    const { ledger, blobs } = env.services;
    const slot = await env.upload();
    const blob = (await ledger.find(slot.id))?.blob ?? '';
    await blobs.remove([blob]);
    await blobs.put(blob, bytes('short'));
    const [fault, ...others] = await check(env, true);
    assert.deepEqual(others, []);
    assert.ok(fault?.kind === 'wrong_size');
    assert.deepEqual([fault.id, fault.expected, fault.found], [slot.id, 100, 5]);
    assert.match(fault.movedTo ?? '', /^lost\+found\//);
    assert.equal(await blobs.size(blob), undefined);
    assert.match(
      (await ledger.findRemoval(slot.id))?.detail ?? '',
      /had 5 bytes instead of 100.*lost\+found/,
    );
    assert.equal((await ledger.usage('romeo@example.org')).bytes, 0);
    assert.deepEqual(await check(env), []);
  });

  test('reports blobs without an upload, and moves them to lost+found', async (t) => {
    const env = await openTestServices(t);
    await env.services.blobs.put('zz/zz00000000000000000000000.txt', bytes('left over'));
    passSinceWritten(env, 2 * HOUR);
    const [fault, ...others] = await check(env, true);
    assert.deepEqual(others, []);
    assert.ok(fault?.kind === 'orphan');
    assert.deepEqual([fault.key, fault.size], ['zz/zz00000000000000000000000.txt', 9]);
    assert.equal(fault.movedTo, 'lost+found/zz00000000000000000000000.txt');
    assert.deepEqual(await check(env), []);
  });

  test('deletes no bytes in a repair, whatever the faults are', async (t) => {
    const env = await openTestServices(t);
    const { ledger, blobs } = env.services;
    const slot = await env.upload();
    const blob = (await ledger.find(slot.id))?.blob ?? '';
    await blobs.remove([blob]);
    await blobs.put(blob, bytes('short'));
    await blobs.put('zz/zz00000000000000000000000.txt', bytes('left over'));
    passSinceWritten(env, 2 * HOUR);
    const removed: string[] = [];
    const remove = async (keys: readonly string[]) => {
      for (const key of keys) if ((await blobs.size(key)) !== undefined) removed.push(key);
      return await blobs.remove(keys);
    };
    const services = { ...env.services, blobs: { ...blobs, remove } };
    await fsck(services, { repair: true, force: true, onFault: () => undefined });
    assert.deepEqual(removed, []);
  });

  test('refuses to repair with a database that is older than the stored files', async (t) => {
    const env = await openTestServices(t);
    const { blobs } = env.services;
    await Promise.all(Array.from({ length: 20 }, () => env.upload({ size: 1 })));
    const newer = 'zz/zz00000000000000000000000.txt';
    await blobs.put(newer, bytes('stored after the backup of the database'));
    const list = async function* () {
      for await (const blob of blobs.list())
        yield blob.key === newer ? { ...blob, modifiedAt: env.services.clock() + 2 * HOUR } : blob;
    };
    const services = {
      ...env.services,
      blobs: { ...blobs, list },
      clock: () => env.services.clock() + 4 * HOUR,
    };
    const repair = (force: boolean) => fsck(services, { repair: true, force, onFault: () => undefined });
    await assert.rejects(repair(false), (error) => {
      assert.ok(error instanceof StaleLedgerError);
      assert.match(error.message, /1 unknown stored file is newer.*probably an old copy/);
      return true;
    });
    assert.equal(await blobs.size(newer), 39);
    await repair(true);
    assert.equal(await blobs.size(newer), undefined);
  });

  test('reports no file that is removed while it looks at it', async (t) => {
    const env = await openTestServices(t);
    const { services, upload } = env;
    const { id } = await upload();
    const { blobs } = services;
    const size: typeof blobs.size = async (key) => {
      await removeUploads(services, { ids: [id], reason: 'deleted', detail: '' });
      return blobs.size(key);
    };
    assert.deepEqual(await check({ ...env, services: { ...services, blobs: { ...blobs, size } } }), []);
    assert.equal((await services.ledger.findRemoval(id))?.reason, 'deleted');
  });

  test('reports no orphan that is gone when it looks at it', async (t) => {
    const env = await openTestServices(t);
    const { services } = env;
    const { blobs } = services;
    const orphan = 'zz/zz00000000000000000000000.txt';
    await blobs.put(orphan, bytes('left over'));
    passSinceWritten(env, 2 * HOUR);
    async function* list() {
      const listed = await Array.fromAsync(blobs.list());
      await blobs.remove([orphan]);
      yield* listed;
    }
    assert.deepEqual(await check({ ...env, services: { ...services, blobs: { ...blobs, list } } }), []);
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

  test('knows the thumbnails of files, and deletes those whose file is gone', async (t) => {
    const env = await openTestServices(t);
    const { blobs, ledger } = env.services;
    const kept = (await ledger.find((await env.upload()).id))?.blob ?? '';
    const gone = thumbnailBlobKey(slotBlobKey(timeOrderedId(0), 'jpg'), 320);
    const thumbnail = thumbnailBlobKey(kept, 320);
    for (const key of [thumbnail, gone]) await blobs.put(key, bytes('thumbnail'));
    passSinceWritten(env, 2 * HOUR);
    const faults = await check(env, true);
    assert.deepEqual(
      faults.map((fault) => [fault.kind, 'key' in fault && fault.key]),
      [['orphan', gone]],
    );
    const names = await Array.fromAsync(blobs.list(), ({ key }) => key);
    assert.deepEqual(names.sort(), [kept, thumbnail].sort());
    assert.deepEqual(await check(env), []);
  });
});
