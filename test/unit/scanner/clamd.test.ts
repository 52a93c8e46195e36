import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { askClamd, createClamd } from '../../../src/scanner/clamd.ts';
import { ScannerError } from '../../../src/scanner/contract.ts';

const NEVER = new AbortController().signal;

/** A server that treats each connection as `work` says. */
async function startFake(t: TestContext, work: (socket: Socket) => void): Promise<{ path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-clamd-'));
  const path = join(folder, 'clamd.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    work(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  return { path };
}

/** Replies once the stream has ended. */
const replying = (reply: string) => (socket: Socket) => {
  let last = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    last = Buffer.concat([last, data]).subarray(-4);
    if (last.equals(Buffer.alloc(4))) socket.end(reply);
  });
};

async function* bytes(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const scan = (address: { path: string }, source = bytes('hello'), signal = NEVER) =>
  createClamd().scan(address, source, signal);

describe('the client of clamd', () => {
  test('sends the bytes in chunks with their lengths', async (t) => {
    const received: Buffer[] = [];
    const address = await startFake(t, (socket) => {
      socket.on('data', (data: Buffer) => received.push(data));
      replying('stream: OK\0')(socket);
    });
    assert.deepEqual(await scan(address, bytes('hello', '', 'world')), { kind: 'clean' });
    const lengthOf5 = '\0\0\0\x05';
    const expected = `zINSTREAM\0${lengthOf5}hello${lengthOf5}world\0\0\0\0`;
    assert.equal(Buffer.concat(received).toString('latin1'), expected);
  });

  test('reads what was found', async (t) => {
    const address = await startFake(t, replying('stream: Win.Test(x:1) FOUND\0'));
    assert.deepEqual(await scan(address), { kind: 'infected', signature: 'Win.Test(x:1)' });
  });

  test('stops sending once clamd refuses the size', async (t) => {
    const address = await startFake(t, (socket) => {
      socket.once('data', () => socket.write('INSTREAM size limit exceeded. ERROR\0'));
    });
    let sent = 0;
    async function* endless() {
      for (; ; sent += 1) yield Buffer.alloc(65_536);
    }
    assert.deepEqual(await scan(address, endless()), { kind: 'too_large' });
    assert.ok(sent < 10_000);
  });

  test('reports a missing, failing, silent or closing clamd with its address', async (t) => {
    const closing = await startFake(t, (socket) => socket.destroy());
    const failing = await startFake(t, replying('stream: Cannot allocate memory ERROR\0'));
    const silent = await startFake(t, () => undefined);
    const long = await startFake(t, (socket) => socket.write('x'.repeat(10_000)));
    const about = (text: RegExp) => (error: unknown) =>
      error instanceof ScannerError && text.test(error.message);
    await assert.rejects(scan({ path: '/nowhere' }), about(/^clamd at unix:\/nowhere: .*ENOENT/));
    await assert.rejects(scan(closing), about(/unix:.*clamd\.sock/));
    await assert.rejects(scan(failing), about(/Cannot allocate memory/));
    await assert.rejects(scan(long), about(/too long/));
    const timeout = AbortSignal.abort();
    await assert.rejects(scan(silent, bytes('hello'), timeout), about(/not answered in time/));
    const late = new AbortController();
    const waiting = scan(silent, bytes('hello'), late.signal);
    late.abort();
    await assert.rejects(waiting, about(/not answered in time/));
  });

  test('passes an error of the file on as it is', async (t) => {
    const address = await startFake(t, () => undefined);
    const broken = new Error('the disk is broken');
    // biome-ignore lint/correctness/useYield: fails before its first chunk
    async function* failing(): AsyncGenerator<Uint8Array> {
      throw broken;
    }
    await assert.rejects(scan(address, failing()), (error) => error === broken);
  });

  test('asks for the version', async (t) => {
    const address = await startFake(t, (socket) => {
      socket.once('data', (data) => socket.end(data.toString() === 'zVERSION\0' ? 'ClamAV 1.4\n\0' : '?\0'));
    });
    assert.equal(await askClamd(address, 'VERSION', NEVER), 'ClamAV 1.4');
  });
});
