import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { addPageFiles } from '../../../src/web/serve/page-files.ts';

const SCRIPT = `console.log(${JSON.stringify('a'.repeat(1000))});`;

async function servePage(t: TestContext, root = '/web') {
  const folder = await mkdtemp(join(tmpdir(), 'porter-page-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Files</title>');
  await writeFile(join(folder, 'assets/index-BkFf2d0a.js'), SCRIPT);
  await writeFile(join(folder, 'icon.png'), 'png');
  const app = Fastify();
  addPageFiles(app, root, folder);
  t.after(async () => {
    await app.close();
    await rm(folder, { recursive: true });
  });
  return (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });
}

describe('the files of the page', () => {
  test('have safe headers, and are asked for again', async (t) => {
    const get = await servePage(t);
    const page = await get('/web/');
    assert.equal(page.statusCode, 200);
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(page.headers['cache-control'], 'no-cache');
    const policy = String(page.headers['content-security-policy']);
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    const again = await get('/web/', { 'If-None-Match': String(page.headers.etag) });
    assert.equal(again.statusCode, 304);
  });

  test('with a hash in the name are kept for a year, and come compressed', async (t) => {
    const get = await servePage(t);
    const url = '/web/assets/index-BkFf2d0a.js';
    const br = await get(url, { 'Accept-Encoding': 'gzip, deflate, br' });
    assert.equal(br.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(br.headers['content-encoding'], 'br');
    assert.equal(brotliDecompressSync(br.rawPayload).toString(), SCRIPT);
    const gzip = await get(url, { 'Accept-Encoding': 'gzip, br;q=0' });
    assert.equal(gunzipSync(gzip.rawPayload).toString(), SCRIPT);
    assert.notEqual(gzip.headers.etag, br.headers.etag);
    const plain = await get(url);
    assert.equal(plain.headers['content-encoding'], undefined);
    assert.equal(plain.headers.vary, 'Accept-Encoding');
    assert.equal(
      (await get('/web/icon.png', { 'Accept-Encoding': 'br' })).headers['content-encoding'],
      undefined,
    );
  });

  test('are only those of the page', async (t) => {
    const get = await servePage(t);
    for (const path of ['nothing.js', '../package.json', '%2e%2e/package.json', 'assets', 'assets/'])
      assert.equal((await get(`/web/${path}`)).statusCode, 404, path);
  });

  test('are found at the root of a host too', async (t) => {
    const get = await servePage(t, '');
    assert.equal((await get('/')).statusCode, 200);
    assert.equal((await get('/icon.png')).statusCode, 200);
  });
});
