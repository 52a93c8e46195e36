import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from '../../../src/base/log.ts';
import type { DiskSpace } from '../../../src/base/system-resources.ts';
import { createSpaceReserve, reservedBytes } from '../../../src/uploads/disk/space-reserve.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const log = createLog({ level: 'silent', format: 'json' });

function withSpace(
  space: Partial<DiskSpace>,
  { store = 'blobs', reserve = null }: { store?: 'blobs' | 'ledger'; reserve?: number | null } = {},
) {
  let reads = 0;
  const disk: DiskSpace = { free: GIB, total: 100 * GIB, freeFiles: 1e6, totalFiles: 1e6, ...space };
  const readSpace = async () => {
    reads += 1;
    return disk;
  };
  return { ...createSpaceReserve(log, [{ store, readSpace }], reserve), reads: () => reads };
}

const refused = { code: 'storage_full', message: 'The server has no storage space left.' };

describe('storage.reserve', () => {
  test('is 256 MiB by default, less on a small disk, and exactly what the config says', () => {
    assert.equal(reservedBytes(null, { total: 100 * GIB }), 256 * MIB);
    assert.equal(reservedBytes(null, { total: 100 * MIB }), 2 * MIB);
    assert.equal(reservedBytes(GIB, { total: 100 * MIB }), GIB);
    assert.equal(reservedBytes(0, { total: 100 * GIB }), 0);
  });

  test('refuses an upload that would leave less, and accepts one that fits', async () => {
    const space = withSpace({ free: 300 * MIB });
    await space.check(44 * MIB);
    await assert.rejects(space.check(44 * MIB + 1), refused);
  });

  test('refuses every upload when the disk of the ledger has less, whatever the size of the file', async () => {
    await assert.rejects(withSpace({ free: 255 * MIB }, { store: 'ledger' }).check(1), refused);
    await withSpace({ free: 257 * MIB }, { store: 'ledger' }).check(100 * GIB);
  });

  test('refuses uploads when the file system has no room for more files', async () => {
    await assert.rejects(withSpace({ freeFiles: 999 }).check(1), refused);
    await withSpace({ freeFiles: 0, totalFiles: 0 }).check(1);
  });

  test('of 0 turns both limits off', async () => {
    await withSpace({ free: 10, freeFiles: 1 }, { reserve: 0 }).check(10);
  });

  test('stops transfers that have begun when the disk is below it', async () => {
    const space = withSpace({ free: 10 * MIB });
    await space.states();
    assert.throws(() => space.checkWhileWriting(), refused);
  });

  test('reads the disk once for many uploads', async () => {
    const space = withSpace({});
    await Promise.all(Array.from({ length: 100 }, () => space.check(1)));
    for (let batches = 0; batches < 100; batches += 1) space.checkWhileWriting();
    assert.equal(space.reads(), 1);
  });

  test('does not refuse uploads to a disk that cannot be read: writing there has the real error', async () => {
    const readSpace = () => Promise.reject(new Error('EIO'));
    await createSpaceReserve(log, [{ store: 'blobs', readSpace }], null).check(1);
  });
});
