import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type HttpResponse, httpRequest } from '../test/support/http.ts';
import { FILE_TYPE, type FileServer } from './servers/file-server.ts';

const SIZE = 10_240;

/** Throws if a server does not store a file and return it byte for byte, so that only correct servers are timed. */
export async function checkAnswers(server: FileServer): Promise<void> {
  const body = randomBytes(SIZE);
  const [slot] = await server.slots(1, SIZE);
  assert.ok(slot, `${server.name} gave no slot`);
  const { name, url } = server;
  const tls = server.ca === undefined ? {} : { ca: server.ca };
  const put = await httpRequest(url + slot.putPath, { method: 'PUT', headers: slot.headers, body, ...tls });
  assert.equal(put.status, server.putStatus ?? 201, `${name} answered a PUT with ${put.status} ${put.text}`);
  const got = await httpRequest(url + slot.getPath, tls);
  assert.equal(got.status, 200, `${name} answered a GET with ${got.status}`);
  assert.ok(got.body.equals(body), `${name} returned other bytes`);
  assert.equal(got.headers['content-length'], String(SIZE), `${name} has no Content-Length`);
  assert.equal(got.headers['content-type'], FILE_TYPE, `${name} has another Content-Type`);
  if (name.startsWith('Porter') && server.ca === undefined) await checkPorter(url + slot.getPath, got, body);
}

/** Throws if the headers, ranges or conditional requests of Porter are wrong, because it must be timed with all of them. */
async function checkPorter(url: string, { headers }: HttpResponse, body: Buffer): Promise<void> {
  const { etag = '' } = headers;
  assert.match(etag, /^"[^"]+"$/);
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['access-control-allow-origin'], '*');
  assert.match(String(headers['cache-control']), /^public, immutable, max-age=\d+$/);
  assert.match(String(headers['content-security-policy']), /sandbox/);
  const part = await httpRequest(url, { headers: { Range: 'bytes=100-199' } });
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(body.subarray(100, 200)));
  assert.equal((await httpRequest(url, { headers: { 'If-None-Match': etag } })).status, 304);
  const missing = await httpRequest(url.replace(/\/files\/....../, '/files/zzzzzz'));
  assert.deepEqual([missing.status, missing.body.length], [404, 0]);
}
