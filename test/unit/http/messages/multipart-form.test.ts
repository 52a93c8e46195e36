import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../../../src/base/errors.ts';
import { type MultipartOptions, readMultipart } from '../../../../src/http/messages/multipart-form.ts';
import { createTransfers } from '../../../../src/uploads/transfers.ts';
import { encodeForm } from '../../../support/http.ts';

const { memory } = createTransfers();
const OPTIONS: MultipartOptions = {
  maxTextBytes: 10_000,
  fileLimits: () => ({ file: null, total: null }),
  idleTimeoutMs: 60_000,
  memoryBudget: memory,
};

/** The same bytes, split at these offsets. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  return [0, ...places].map((from, at) => Buffer.from(bytes.subarray(from, places[at])));
}

async function bytesOf(file: {
  open(): ReturnType<Awaited<ReturnType<typeof readMultipart>>['files'][0]['open']>;
}) {
  const chunks: Buffer[] = [];
  for await (const batch of file.open().batches(memory, () => undefined))
    for (const chunk of batch) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe('a form', () => {
  test('is read completely, wherever the network splits it', async () => {
    const boundaryLike = fc.constantFrom('\r\n--', '--', '\r', '\n', 'a', '\0', 'é');
    const content = fc.array(fc.oneof(boundaryLike, fc.string({ maxLength: 30_000 })), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        async (contents, cuts) => {
          const files = contents.map((parts) => Buffer.from(`x${parts.join('')}`));
          const { body, headers } = await encodeForm((form) => {
            form.append('body', 'grüß');
            for (const [n, bytes] of files.entries())
              form.append('file', new File([new Uint8Array(bytes)], `${n}.txt`));
          });
          const stream = Readable.from(pieces(body, cuts), { objectMode: false });
          const form = await readMultipart(stream, headers['Content-Type'], OPTIONS);
          try {
            assert.deepEqual(form.fields.get('body'), ['grüß']);
            assert.equal(form.files.length, files.length);
            for (const [n, file] of form.files.entries()) {
              const expected = files[n] ?? Buffer.alloc(0);
              assert.equal(file.size, expected.length);
              assert.equal(file.sha256, createHash('sha256').update(expected).digest('base64'));
              assert.ok((await bytesOf(file)).equals(expected));
            }
          } finally {
            await form.discard();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('that does not end fails at its deadline, however often it sends bytes', async () => {
    const { body, headers } = await encodeForm((form) => form.append('body', 'text'));
    let sent = 0;
    async function* drip() {
      for (;;) {
        yield body.subarray(sent, sent + 1);
        sent = Math.min(sent + 1, body.length - 10);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const stream = Readable.from(drip(), { objectMode: false });
    await assert.rejects(
      readMultipart(stream, headers['Content-Type'], { ...OPTIONS, totalTimeoutMs: 100 }),
      (error) => error instanceof Refusal && error.code === 'body_slow',
    );
    stream.destroy();
  });

  test('with a part that has no name is refused, and does not end the process', async () => {
    const body = Buffer.from('--x\r\nContent-Disposition: form-data\r\n\r\nhello\r\n--x--\r\n');
    await assert.rejects(
      readMultipart(Readable.from([body], { objectMode: false }), 'multipart/form-data; boundary=x', OPTIONS),
      { code: 'bad_request', message: 'A part of the form has no name.' },
    );
  });

  test('keeps large files in files of the blob store, and removes them', async (t) => {
    const { body, headers } = await encodeForm((form) => {
      form.append('file', new File([new Uint8Array(70_000)], 'a.bin'));
      form.append('file', new File(['small'], 'b.txt'));
    });
    const folder = await mkdtemp(join(tmpdir(), 'porter-form-'));
    t.after(() => rm(folder, { recursive: true }));
    const createSpoolFile = async () => {
      const path = join(folder, 'spooled');
      await writeFile(path, '');
      return path;
    };
    const read = (options: Partial<MultipartOptions>) =>
      readMultipart(Readable.from([Buffer.from(body)], { objectMode: false }), headers['Content-Type'], {
        ...OPTIONS,
        createSpoolFile,
        ...options,
      });
    const form = await read({});
    assert.deepEqual(
      form.files.map(({ path, size }) => [path, size]),
      [
        [join(folder, 'spooled'), 70_000],
        [undefined, 5],
      ],
    );
    assert.equal((await stat(join(folder, 'spooled'))).size, 70_000);
    await form.discard();
    assert.deepEqual(await readdir(folder), []);
    let chunks = 0;
    const checkSpace = () => {
      chunks += 1;
      if (chunks > 1) throw new Refusal('storage_full');
    };
    await assert.rejects(read({ checkSpace }), { code: 'storage_full' });
    assert.deepEqual(await readdir(folder), []);
  });

  test('that is incomplete is refused and leaves nothing', async () => {
    const { body, headers } = await encodeForm((form) => {
      form.append('body', 'text');
      form.append('file', new File([new Uint8Array(70_000)], 'a.bin'));
    });
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: body.length - 8 }), async (length) => {
        const stream = Readable.from([body.subarray(0, length)], { objectMode: false });
        await assert.rejects(
          readMultipart(stream, headers['Content-Type'], OPTIONS),
          (error) => error instanceof Refusal && error.code === 'bad_request',
        );
      }),
      { numRuns: 60 },
    );
  });
});
