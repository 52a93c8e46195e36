import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';

const BODY = Buffer.concat(Array.from({ length: 50 }, (_, at) => Buffer.alloc(100_003, `${at}~`)));

describe('over TLS', () => {
  test('an upload and its download are byte for byte the same', async (t) => {
    const { cert, key } = createSelfSigned(['localhost']);
    const server = await startTestFileServer(t, { tls: await filesOf(t, cert, key) });
    const slot = await server.grantSlot({ size: BODY.length });
    const put = await call(server.port, cert, slot.putPath, 'PUT', BODY);
    assert.equal(put.status, 201);
    assert.ok((await call(server.port, cert, slot.getPath, 'GET')).body.equals(BODY));
  });
});

async function filesOf(t: TestContext, cert: string, key: string) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)]);
  return files;
}

function call(
  port: number,
  ca: string,
  path: string,
  method: string,
  body?: Buffer,
): Promise<{ status: number | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const at = { host: '127.0.0.1', port, servername: 'localhost', ca, agent: false } as const;
    const headers = body ? { 'Content-Length': body.length } : {};
    const asked = request({ ...at, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
