import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { resumableBlobKey, slotBlobKey } from '../../src/base/blob-keys.ts';
import { randomId } from '../../src/base/ids.ts';
import type { AppendOptions, BlobStore } from '../../src/blobs/contract.ts';
import { listKeys, readBlob } from './blobs.ts';

const MIB = 1024 * 1024;
/** More than two parts of S3, and not a multiple of them. */
const SIZE = 18 * MIB + 12_345;

const newKey = () => resumableBlobKey(slotBlobKey(randomId(), 'bin'), randomId());

const pattern = Buffer.from(Array.from({ length: 65_537 }, (_, at) => (at * 31) & 255));
const testBytes = (size: number) => Buffer.alloc(size, pattern);

/** Yields the bytes in batches of 1 MiB, then fails if an error is given. */
async function* batchesOf(bytes: Uint8Array, failure?: Error): AsyncGenerator<readonly Uint8Array[]> {
  for (let at = 0; at < bytes.length; at += MIB) yield [bytes.subarray(at, at + MIB)];
  if (failure) throw failure;
}

interface Piece extends Partial<AppendOptions> {
  readonly from: number;
  readonly to: number;
  readonly failure?: Error;
}

/** Appends the bytes from `from` to `to` of a blob. */
function append(blobs: BlobStore, key: string, whole: Buffer, { from, to, failure, ...options }: Piece) {
  return blobs.append(key, batchesOf(whole.subarray(from, to), failure), {
    offset: from,
    size: whole.length,
    complete: to === whole.length,
    onDurable: async () => undefined,
    ...options,
  });
}

/** Tests of `append` and `canAppend`. */
export function appendSuite(withStore: (t: TestContext) => Promise<BlobStore>): void {
  test('writes one blob with several calls', async (t) => {
    const blobs = await withStore(t);
    const cuts = [[0, 3, 9, 18], [5, 5.5, 6], [17.999], []];
    for (const cut of cuts) {
      const key = newKey();
      const whole = testBytes(SIZE);
      const ends = [...cut.map((at) => Math.floor(at * MIB)), SIZE];
      let from = 0;
      for (const to of ends) {
        assert.deepEqual(await append(blobs, key, whole, { from, to }), { offset: to });
        from = to;
      }
      assert.ok((await readBlob(blobs, key)).equals(whole));
      assert.deepEqual(await listKeys(blobs), [key], 'and leaves nothing else');
      assert.deepEqual(await blobs.remove([key]), []);
    }
  });

  test('completes small and empty blobs, also with a call without bytes', async (t) => {
    const blobs = await withStore(t);
    for (const size of [0, 1, 100_000]) {
      const key = newKey();
      const whole = testBytes(size);
      await append(blobs, key, whole, { from: 0, to: size, complete: false });
      assert.equal(await blobs.canAppend(key, { offset: size, size }), true);
      assert.deepEqual(await append(blobs, key, whole, { from: size, to: size }), { offset: size });
      assert.ok((await readBlob(blobs, key)).equals(whole));
      assert.deepEqual(await listKeys(blobs), [key]);
      await blobs.remove([key]);
    }
  });

  test('continues at the end of a complete blob whose upload could not be stored', async (t) => {
    const blobs = await withStore(t);
    for (const size of [100, SIZE]) {
      const key = newKey();
      const whole = testBytes(size);
      await append(blobs, key, whole, { from: 0, to: size });
      assert.equal(await blobs.canAppend(key, { offset: size, size }), true);
      for (const complete of [false, true])
        assert.deepEqual(await append(blobs, key, whole, { from: size, to: size, complete }), {
          offset: size,
        });
      assert.ok((await readBlob(blobs, key)).equals(whole));
      assert.deepEqual(await listKeys(blobs), [key]);
      await blobs.remove([key]);
    }
  });

  test('continues if Porter was killed after the blob was complete, before that was recorded', async (t) => {
    const blobs = await withStore(t);
    for (const { size, recorded } of [
      { size: SIZE, recorded: 16 * MIB },
      { size: SIZE, recorded: 3 * MIB },
      { size: 4 * MIB, recorded: 2 * MIB },
      { size: 4 * MIB, recorded: 0 },
    ]) {
      const key = newKey();
      const whole = testBytes(size);
      if (recorded > 0) await append(blobs, key, whole, { from: 0, to: recorded });
      await append(blobs, key, whole, { from: recorded, to: size });
      assert.equal(await blobs.canAppend(key, { offset: recorded, size }), true);
      const middle = recorded + MIB;
      const failure = new Error('the connection was lost');
      const cut = await append(blobs, key, whole, { from: recorded, to: middle, failure });
      assert.deepEqual(cut, { offset: middle, failure });
      assert.equal(await blobs.canAppend(key, { offset: middle, size }), true);
      assert.deepEqual(await append(blobs, key, whole, { from: middle, to: size }), { offset: size });
      assert.ok((await readBlob(blobs, key)).equals(whole));
      assert.deepEqual(await listKeys(blobs), [key], 'and leaves nothing else');
      await blobs.remove([key]);
    }
  });

  test('keeps the bytes that arrived before the source failed, and continues after them', async (t) => {
    const blobs = await withStore(t);
    const key = newKey();
    const whole = testBytes(SIZE);
    const failure = new Error('the sender is gone');
    let from = 0;
    for (const to of [100, 2 * MIB, 11 * MIB + 5, 16 * MIB]) {
      assert.deepEqual(await append(blobs, key, whole, { from, to, failure }), { offset: to, failure });
      assert.equal(await blobs.canAppend(key, { offset: to, size: SIZE }), true);
      assert.equal(await blobs.canAppend(key, { offset: to + MIB * 5, size: SIZE }), false);
      from = to;
    }
    assert.deepEqual(await append(blobs, key, whole, { from, to: SIZE, failure }), { offset: SIZE, failure });
    assert.deepEqual(await append(blobs, key, whole, { from: SIZE, to: SIZE }), { offset: SIZE });
    assert.ok((await readBlob(blobs, key)).equals(whole));
    await blobs.remove([key]);
  });

  test('continues after the last durable byte after a crash', async (t) => {
    const blobs = await withStore(t);
    const key = newKey();
    const whole = testBytes(SIZE);
    let durable = 0;
    const crash = new Error('killed');
    const onDurable = async (offset: number) => {
      durable = offset;
      throw crash;
    };
    await append(blobs, key, whole, { from: 0, to: 3 * MIB });
    await assert.rejects(append(blobs, key, whole, { from: 3 * MIB, to: SIZE, onDurable }));
    assert.ok(durable > 3 * MIB && durable < SIZE, String(durable));
    assert.equal(await blobs.canAppend(key, { offset: durable, size: SIZE }), true);
    // Not recorded, so the next request starts at the earlier offset.
    await assert.rejects(append(blobs, key, whole, { from: 3 * MIB, to: SIZE, onDurable }));
    await append(blobs, key, whole, { from: durable, to: durable + MIB });
    await append(blobs, key, whole, { from: durable + MIB, to: SIZE });
    assert.ok((await readBlob(blobs, key)).equals(whole));
    await blobs.remove([key]);
  });

  test('reports bytes as durable only when the next call can begin after them', async (t) => {
    const blobs = await withStore(t);
    const key = newKey();
    const whole = testBytes(SIZE);
    const reported: number[] = [];
    await append(blobs, key, whole, {
      from: 0,
      to: SIZE,
      complete: false,
      onDurable: async (offset) => {
        assert.equal(await blobs.canAppend(key, { offset, size: SIZE }), true);
        reported.push(offset);
      },
    });
    assert.ok(reported.length >= 2);
    assert.deepEqual(
      reported,
      reported.toSorted((one, other) => one - other),
    );
    await append(blobs, key, whole, { from: SIZE, to: SIZE });
    await blobs.remove([key]);
  });

  test('does not continue if earlier bytes are missing', async (t) => {
    const blobs = await withStore(t);
    const whole = testBytes(SIZE);
    for (const from of [1, 3 * MIB, 16 * MIB + 1]) {
      const key = newKey();
      assert.equal(await blobs.canAppend(key, { offset: from, size: SIZE }), false);
      await assert.rejects(append(blobs, key, whole, { from, to: SIZE }), {
        name: 'BlobError',
        kind: 'missing',
      });
      assert.equal(await blobs.open(key), undefined);
    }
    assert.deepEqual(await listKeys(blobs), []);
  });

  test('removes an unfinished blob with all its parts', async (t) => {
    const blobs = await withStore(t);
    const whole = testBytes(SIZE);
    for (const to of [5, 10 * MIB]) {
      const key = newKey();
      await append(blobs, key, whole, { from: 0, to });
      assert.notDeepEqual(await listKeys(blobs), []);
      await blobs.removeAbandonedWrites?.(Date.now() + 60_000);
      assert.equal(await blobs.canAppend(key, { offset: to, size: SIZE }), true, 'it was not abandoned');
      assert.deepEqual(await blobs.remove([key]), []);
      assert.deepEqual(await listKeys(blobs), []);
      assert.equal(await blobs.canAppend(key, { offset: to, size: SIZE }), false);
    }
  });
}
