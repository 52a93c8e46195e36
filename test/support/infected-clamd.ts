import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ScanRules } from '../../src/uploads/content/content-checks.ts';

/** Starts a fake clamd that reports every file as infected. Real files and signatures are tested with the real clamd. */
export async function startInfectedClamd(t: TestContext): Promise<ScanRules> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-clamd-'));
  const path = join(folder, 'clamd.sock');
  const server = createServer((socket: Socket) => {
    let last = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      last = Buffer.concat([last, data]).subarray(-4);
      if (last.equals(Buffer.alloc(4))) socket.end('stream: Test.Virus FOUND\0');
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });
  return {
    address: { path },
    whenUnavailable: 'refuse',
    maxSize: 1_000_000,
    whenLarger: 'accept',
    timeoutMs: 60_000,
    connections: 2,
    quarantineMs: 1000,
  };
}
