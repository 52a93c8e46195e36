import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { RequestBody } from '../../../../src/http/common/request-body.ts';
import { createTransfers } from '../../../../src/uploads/transfers.ts';
import type { MemoryBudget } from '../../../../src/uploads/upload-request.ts';

const roomy: MemoryBudget = {
  batchSize: () => 10_000,
  isOverBudget: () => false,
  acquire: (run) => run(),
  release: () => undefined,
};
const anySize = () => undefined;

function open(t: TestContext, pace = roomy) {
  const stream = new PassThrough({ highWaterMark: 16_384 });
  const body = new RequestBody(stream, { idleTimeoutMs: 60_000 });
  t.after(() => body.abort(new Error('the test is over')));
  return { stream, body, batches: body.batches(pace, anySize)[Symbol.asyncIterator]() };
}

const sizeOf = (batch: readonly Uint8Array[] | undefined) =>
  (batch ?? []).reduce((sum, chunk) => sum + chunk.length, 0);
const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

describe('the body of a request', () => {
  test('is read in batches of the size of the memory budget, with a smaller last one', async (t) => {
    const { stream, batches } = open(t);
    for (let chunk = 0; chunk < 25; chunk += 1) stream.write(Buffer.alloc(1000));
    stream.end();
    const sizes: number[] = [];
    for (let next = await batches.next(); !next.done; next = await batches.next())
      sizes.push(sizeOf(next.value));
    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      25_000,
    );
    assert.ok(sizes.length >= 3 && sizes.length <= 5, `${sizes}`);
  });

  test('is paused while a full batch is not consumed', async (t) => {
    const { stream, body } = open(t);
    const source = setInterval(() => stream.write(Buffer.alloc(5000)), 0);
    for (let turn = 0; turn < 100; turn += 1) await turnOfTheLoop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    clearInterval(source);
    assert.ok(body.received <= 15_000, `${body.received}`);
    assert.equal(body.idleFor(), 0, 'that is not its silence');
  });

  test('in tiny chunks stays within the memory budget', async (t) => {
    const { stream, body } = open(t);
    for (let byte = 0; byte < 5000; byte += 1) stream.write('x');
    for (let turn = 0; turn < 50; turn += 1) await turnOfTheLoop();
    assert.ok(body.received < 200, `${body.received} chunks gathered`);
  });

  test('frees the memory of a batch when the next one is requested', async (t) => {
    const { stream, batches } = open(t);
    stream.write(new Uint8Array(new ArrayBuffer(20_000)));
    stream.end();
    const { value } = await batches.next();
    const [chunk] = value as Uint8Array[];
    assert.equal(chunk?.length, 20_000);
    await batches.next();
    assert.equal(chunk?.length, 0);
  });

  test('never frees shared memory', async (t) => {
    const { stream, batches } = open(t);
    const shared = Buffer.alloc(40_000, 'a');
    stream.write(shared.subarray(0, 20_000));
    stream.end();
    await batches.next();
    await batches.next();
    assert.equal(shared.length, 40_000);
  });

  test('fails for its consumer when the connection breaks, also before it is read', async (t) => {
    const early = open(t);
    early.stream.destroy();
    await turnOfTheLoop();
    await assert.rejects(early.batches.next(), { code: 'body_cut' });
    const late = open(t);
    const waiting = late.batches.next();
    late.stream.destroy(new Error('ECONNRESET'));
    await assert.rejects(waiting, { code: 'body_cut' });
  });

  test('over budget waits for a slot, and every slot is released', async (t) => {
    const transfers = createTransfers({ memoryBytes: 64 * 1024 });
    const bodies = Array.from({ length: 100 }, () => open(t, transfers.memory));
    const running = bodies.map(({ body }, at) => transfers.begin(`${at}`, body));
    assert.ok(transfers.memory.isOverBudget());
    const readings = bodies.map(async ({ stream, batches }) => {
      for (let part = 0; part < 8; part += 1) stream.write(Buffer.alloc(30_000));
      stream.end();
      let total = 0;
      for (let next = await batches.next(); !next.done; next = await batches.next()) {
        await turnOfTheLoop();
        total += sizeOf(next.value);
      }
      return total;
    });
    assert.deepEqual(new Set(await Promise.all(readings)), new Set([240_000]));
    let turns = 0;
    for (let turn = 0; turn < 32; turn += 1) transfers.memory.acquire(() => (turns += 1));
    assert.equal(turns, 32, 'all turns are free again');
    for (const transfer of running) transfer.end();
    assert.deepEqual(transfers.inFlight(), { uploads: 0, bytes: 0 });
  });

  test('over budget delivers nothing without a slot, also bytes that arrive meanwhile', async (t) => {
    const transfers = createTransfers({ memoryBytes: 1 });
    const { stream, body, batches } = open(t, transfers.memory);
    transfers.begin('a', body);
    const held: (() => void)[] = [];
    for (let turn = 0; turn < 32; turn += 1)
      transfers.memory.acquire(() => held.push(transfers.memory.release));
    let handed = 0;
    const waiting = batches.next().then(({ value }) => {
      handed = sizeOf(value);
    });
    await turnOfTheLoop();
    for (let part = 0; part < 4; part += 1) {
      stream.write(Buffer.alloc(20_000));
      await turnOfTheLoop();
    }
    assert.equal(handed, 0);
    assert.ok(stream.readableLength <= 40_000, `${stream.readableLength} bytes wait`);
    held.pop()?.();
    await waiting;
    assert.ok(handed >= 20_000, `${handed}`);
    for (const leave of held) leave();
  });

  test('that is aborted while it waits for a slot releases it', async (t) => {
    const transfers = createTransfers({ memoryBytes: 1 });
    const { stream, body, batches } = open(t, transfers.memory);
    transfers.begin('a', body);
    const held: (() => void)[] = [];
    for (let turn = 0; turn < 32; turn += 1)
      transfers.memory.acquire(() => held.push(transfers.memory.release));
    stream.write(Buffer.alloc(20_000));
    await turnOfTheLoop();
    const waiting = batches.next();
    body.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    for (const leave of held) leave();
    let turns = 0;
    for (let turn = 0; turn < 32; turn += 1) transfers.memory.acquire(() => (turns += 1));
    assert.equal(turns, 32);
  });
});
