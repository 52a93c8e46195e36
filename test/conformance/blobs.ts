import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { slotBlobKey, thumbnailBlobKey } from '../../src/base/blob-keys.ts';
import { randomId } from '../../src/base/ids.ts';
import type { BlobStore, OpenBlob } from '../../src/blobs/contract.ts';
import { readThumbnail, writeThumbnail } from '../../src/uploads/thumbnails/thumbnail-files.ts';
import { tinyWebp } from '../support/pictures.ts';
import { appendSuite } from './blobs-append.ts';

export interface TestBlobStore {
  readonly store: BlobStore;
  /** Reads a file or object by its name in the store, without Porter. */
  readFile(name: string): Promise<Buffer>;
  /** Makes the store refuse to remove this blob until the returned function is called. */
  protect(key: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Tests that every back end of the blobs must pass. `open` creates an empty store for each test. */
export function blobStoreSuite(name: string, open: () => Promise<TestBlobStore>): void {
  const openStore = async (t: TestContext) => {
    const opened = await open();
    t.after(async () => {
      await opened.store.close();
      await opened.close();
    });
    return opened;
  };
  const withStore = async (t: TestContext) => (await openStore(t)).store;

  describe(`blobs on ${name}`, () => {
    appendSuite(withStore);

    test('returns what was put, byte for byte, whatever the chunks and batches', async (t) => {
      const blobs = await withStore(t);
      const chunk = fc.uint8Array({ minLength: 1, maxLength: 3000 });
      const batches = fc.array(fc.array(chunk, { minLength: 1, maxLength: 5 }), { maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(batches, async (parts) => {
          const key = newBlobKey();
          const whole = Buffer.concat(parts.flat());
          assert.equal(await blobs.put(key, toBatches(parts)), whole.length);
          assert.deepEqual(await readBlob(blobs, key), whole);
        }),
        { numRuns: 25 },
      );
    });

    test('keeps the id of its marker, which is not listed as a blob', async (t) => {
      const blobs = await withStore(t);
      assert.equal(await blobs.readIdentity(), undefined);
      await blobs.writeIdentity('first');
      assert.equal(await blobs.readIdentity(), 'first');
      await blobs.writeIdentity('second', { replace: true });
      assert.equal(await blobs.readIdentity(), 'second');
      for await (const { key } of blobs.list()) assert.fail(key);
    });

    test('stores a local file, linked or copied, independently of the original name', async (t) => {
      const blobs = await withStore(t);
      const folder = await mkdtemp(join(tmpdir(), 'porter-file-'));
      t.after(() => rm(folder, { recursive: true }));
      const key = newBlobKey();
      for (const bytes of ['first', 'second, and longer']) {
        const file = join(folder, bytes);
        await writeFile(file, bytes);
        // A store that cannot link returns undefined and gets a copy.
        const size = await blobs.linkFile?.(key, file);
        if (size === undefined) {
          await blobs.remove([key]);
          await blobs.put(key, toBatches([[Buffer.from(bytes)]]));
        } else assert.equal(size, bytes.length);
        await rm(file);
        assert.equal((await readBlob(blobs, key)).toString(), bytes);
      }
    });

    test('does not read a batch after it has asked for the next one', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      const memory = Buffer.alloc(100_000);
      async function* reusing() {
        for (let round = 1; round <= 8; round += 1) {
          memory.fill(round);
          yield [memory.subarray(0, 40_000), memory.subarray(40_000)];
        }
        memory.fill(0);
      }
      assert.equal(await blobs.put(key, reusing()), 800_000);
      const stored = await readBlob(blobs, key);
      for (let round = 1; round <= 8; round += 1) {
        assert.deepEqual(
          stored.subarray((round - 1) * 100_000, round * 100_000),
          Buffer.alloc(100_000, round),
        );
      }
    });

    test('stores a body with a known size', async (t) => {
      const blobs = await withStore(t);
      for (const size of [1, 100_000, 20_000_000]) {
        const key = newBlobKey();
        const whole = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 13) & 255));
        const bytes = Buffer.alloc(size, whole);
        const cut = size >> 1;
        assert.equal(
          await blobs.put(key, toBatches([[bytes.subarray(0, cut)], [bytes.subarray(cut)]]), size),
          size,
        );
        assert.equal(await blobs.size(key), size);
        assert.ok((await readBlob(blobs, key)).equals(bytes));
      }
    });

    test('gives the size of a blob without opening it', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      assert.equal(await blobs.size(key), undefined);
      await blobs.put(key, toBatches([[Buffer.alloc(1234)], [Buffer.alloc(6)]]));
      assert.equal(await blobs.size(key), 1240);
    });

    test('reads the first range, and then the rest on request', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      const whole = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 11) & 255));
      await blobs.put(key, toBatches([[whole]]));
      const blob = await blobs.open(key, { start: 150_000, end: 199_999 });
      assert.ok(blob);
      assert.equal(blob.size, whole.length);
      assert.deepEqual(await readRange(blob, 150_000, 199_999), whole.subarray(150_000, 199_999));
      assert.deepEqual(await readRange(blob, 0, 200_000), whole);
      await blob.close();
      const beyond = await blobs.open(key, { start: 500_000, end: 500_001 });
      assert.equal(beyond?.size, whole.length);
      await beyond.close();
      assert.equal(await blobs.open(newBlobKey(), { start: 0, end: 1 }), undefined);
    });

    test('reads any range repeatedly', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      const whole = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) & 255));
      await blobs.put(key, toBatches([[whole]]));
      const blob = await mustOpen(blobs, key);
      assert.equal(blob.size, whole.length);
      for (const [start, end] of [
        [0, 300_000],
        [0, 0],
        [0, 1],
        [299_999, 300_000],
        [1000, 250_000],
        [70_000, 70_001],
      ] as const) {
        assert.deepEqual(await readRange(blob, start, end), whole.subarray(start, end), `${start}-${end}`);
      }
      await blob.close();
    });

    test('releases everything if the reader stops early', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      await blobs.put(key, toBatches([[Buffer.alloc(3_000_000, 1)]]));
      const blob = await mustOpen(blobs, key);
      for await (const chunk of blob.read(0, blob.size)) {
        assert.ok(chunk.length > 0);
        break;
      }
      await blob.close();
      assert.equal((await readBlob(blobs, key)).length, 3_000_000);
    });

    test('lets an open blob be read to its end after its removal', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      const whole = Buffer.alloc(3_000_000, 'abc');
      await blobs.put(key, toBatches([[whole]]));
      const blob = await mustOpen(blobs, key);
      const parts: Buffer[] = [];
      for await (const chunk of blob.read(0, blob.size)) {
        if (parts.length === 0) await blobs.remove([key]);
        parts.push(Buffer.from(chunk));
      }
      await blob.close();
      assert.deepEqual(Buffer.concat(parts), whole);
      assert.equal(await blobs.open(key), undefined);
    });

    test('opens a missing blob as undefined', async (t) => {
      const blobs = await withStore(t);
      assert.equal(await blobs.open(newBlobKey()), undefined);
    });

    test("stores nothing and returns the source's error if the source fails", async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      const broken = new Error('the sender is gone');
      async function* failing() {
        for (let round = 0; round < 10; round += 1) yield [Buffer.alloc(2_000_000)];
        throw broken;
      }
      for (const size of [undefined, 20_000_001, 50_000_000]) {
        await assert.rejects(blobs.put(key, failing(), size), broken);
        assert.equal(await blobs.open(key), undefined);
        assert.deepEqual(await listKeys(blobs), []);
      }
    });

    test('accepts the same key again after a failure', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      await assert.rejects(blobs.put(key, failingAtOnce()));
      await blobs.put(key, toBatches([[Buffer.from('second')]]));
      assert.equal(String(await readBlob(blobs, key)), 'second');
    });

    test('replaces the remains of an earlier attempt completely', async (t) => {
      const blobs = await withStore(t);
      const key = newBlobKey();
      await blobs.put(key, toBatches([[Buffer.from('a longer text of an attempt that was killed')]]));
      await blobs.put(key, toBatches([[Buffer.from('short')]]));
      assert.equal(String(await readBlob(blobs, key)), 'short');
    });

    test('removes many blobs at once and ignores missing ones', async (t) => {
      const blobs = await withStore(t);
      const keys = Array.from({ length: 40 }, newBlobKey);
      for (const key of keys) await blobs.put(key, toBatches([[Buffer.from(key)]]));
      await blobs.remove([...keys.slice(0, 39), newBlobKey()]);
      await blobs.remove(keys.slice(0, 39));
      assert.deepEqual(await listKeys(blobs), keys.slice(39));
    });

    test('moves blobs to lost+found, where they keep their bytes and replace nothing', async (t) => {
      const { store: blobs, readFile } = await openStore(t);
      const key = newBlobKey();
      const texts = ['the first file', 'another file under the same key'];
      const names: string[] = [];
      for (const text of texts) {
        await blobs.put(key, toBatches([[Buffer.from(text)]]));
        names.push((await blobs.moveToLostAndFound(key)) ?? '');
        assert.equal(await blobs.size(key), undefined);
      }
      assert.deepEqual(await Promise.all(names.map(async (path) => String(await readFile(path)))), texts);
      for (const path of names) assert.match(path, /^lost\+found\//);
      assert.deepEqual(await listKeys(blobs), []);
      assert.equal(await blobs.moveToLostAndFound(newBlobKey()), undefined);
    });

    test('removes all blobs but one that cannot be removed, and returns that one', async (t) => {
      const { store: blobs, protect } = await openStore(t);
      const keys = Array.from({ length: 40 }, newBlobKey);
      for (const key of keys) await blobs.put(key, toBatches([[Buffer.from(key)]]));
      const [first = '', second = ''] = keys;
      const release = await protect(second);
      try {
        const failures = [...(await blobs.remove(keys)), ...(await blobs.remove([first, second]))];
        assert.deepEqual(
          failures.map(({ key, error }) => [key, error.name]),
          [second, second].map((key) => [key, 'BlobError']),
        );
        assert.deepEqual(
          (await blobs.remove([second])).map(({ key }) => key),
          [second],
        );
        for (const key of keys) if (key !== second) assert.equal(await blobs.size(key), undefined);
      } finally {
        await release();
      }
      assert.deepEqual(await blobs.remove([second]), []);
      assert.deepEqual(await listKeys(blobs), []);
    });

    test('lists every blob with its size and age', async (t) => {
      const blobs = await withStore(t);
      const before = Date.now() - 2000;
      const key = newBlobKey();
      await blobs.put(key, toBatches([[Buffer.alloc(1234)]]));
      const [only, ...others] = await Array.fromAsync(blobs.list());
      assert.deepEqual(others, []);
      assert.equal(only?.key, key);
      assert.equal(only?.size, 1234);
      assert.ok(only && only.modifiedAt >= before && only.modifiedAt <= Date.now() + 2000);
    });

    test('lists nothing in an empty store', async (t) => {
      assert.deepEqual(await listKeys(await withStore(t)), []);
    });

    test('keeps concurrent puts apart', async (t) => {
      const blobs = await withStore(t);
      const keys = Array.from({ length: 50 }, newBlobKey);
      await Promise.all(
        keys.map((key) => blobs.put(key, toBatches([[Buffer.from(key)], [Buffer.from('!')]]))),
      );
      for (const key of keys) assert.equal(String(await readBlob(blobs, key)), `${key}!`);
    });

    test('rejects keys that lead out of the store', async (t) => {
      const blobs = await withStore(t);
      for (const key of [
        '../x',
        '/etc/passwd',
        'ab/../../x',
        'ab/x/y.bin',
        'ab',
        '',
        'ab/.bin',
        'ab/x\0.bin',
      ]) {
        await assert.rejects(blobs.open(key), { name: 'BlobError' }, key);
        await assert.rejects(blobs.put(key, toBatches([[Buffer.from('x')]])), { name: 'BlobError' }, key);
        assert.deepEqual(
          (await blobs.remove([key])).map((failed) => [failed.key, failed.error.name]),
          [[key, 'BlobError']],
        );
      }
    });

    test('has a complete thumbnail while several processes write it, and can replace it by a failure', async (t) => {
      const blobs = await withStore(t);
      const key = thumbnailBlobKey(slotBlobKey(randomId(), 'jpg'), 320);
      const pictures = ['a', 'b', 'c'].map((text) => tinyWebp(text.repeat(50_000)));
      assert.equal(await readThumbnail(blobs, key), undefined);
      const write = async (bytes: Buffer, i: number) => {
        await writeThumbnail(blobs, key, { kind: 'picture', bytes }, `process ${i}`);
        const known = await readThumbnail(blobs, key);
        assert.ok(known?.kind === 'picture' && pictures.some((picture) => picture.equals(known.bytes)));
      };
      await Promise.all(pictures.map(write));
      assert.deepEqual(await listKeys(blobs), [key]);
      const failure = { kind: 'none', reason: 'it is cut off', isFinal: true, at: 5 } as const;
      await writeThumbnail(blobs, key, failure, 'process 1');
      assert.deepEqual(await readThumbnail(blobs, key), failure);
      assert.deepEqual(await listKeys(blobs), [key]);
    });

    test('reports that it is writable', async (t) => {
      const blobs = await withStore(t);
      await blobs.checkWritable();
      assert.deepEqual(await listKeys(blobs), []);
    });
  });
}

export function newBlobKey(): string {
  const id = randomId();
  return `${id.slice(0, 2)}/${id}.bin`;
}

export async function* toBatches(
  batches: readonly (readonly Uint8Array[])[],
): AsyncGenerator<readonly Uint8Array[]> {
  yield* batches;
}

// biome-ignore lint/correctness/useYield: a source that fails before its first byte
async function* failingAtOnce(): AsyncGenerator<readonly Uint8Array[]> {
  throw new Error('gone before the first byte');
}

async function mustOpen(blobs: BlobStore, key: string): Promise<OpenBlob> {
  const blob = await blobs.open(key);
  assert.ok(blob);
  return blob;
}

async function readRange(blob: OpenBlob, start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of blob.read(start, end)) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

export async function readBlob(blobs: BlobStore, key: string): Promise<Buffer> {
  const blob = await mustOpen(blobs, key);
  try {
    return await readRange(blob, 0, blob.size);
  } finally {
    await blob.close();
  }
}

export async function listKeys(blobs: BlobStore): Promise<string[]> {
  const listed = await Array.fromAsync(blobs.list());
  return listed.map(({ key }) => key);
}
