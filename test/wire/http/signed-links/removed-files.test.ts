import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eraseOwner } from '../../../../src/uploads/remove.ts';
import { DAY } from '../../../support/test-services.ts';
import {
  encodePath,
  signDelete,
  signV,
  startTestSignedLinksServer,
} from '../../../support/test-signed-links-server.ts';
import { BODY, OTHER, PATH } from './sample-file.ts';

describe('a signed link whose file is gone', () => {
  for (const reason of ['deleted', 'expired', 'forgotten'] as const) {
    test(`(${reason}) can never be filled again: its PUT is 409, its GET 404`, async (t) => {
      const server = await startTestSignedLinksServer(t);
      assert.equal((await server.putV(PATH, BODY)).status, 201);
      const { ledger } = server.services;
      const [upload] = await ledger.listUploads({ limit: 1 });
      assert.ok(upload);
      if (reason === 'forgotten') await eraseOwner(server.services, 'external');
      else await ledger.remove({ ids: [upload.id], reason, detail: '', now: server.services.clock() });
      server.fileCache.invalidate(upload.locator);
      server.advance(400 * DAY);
      const sweep = { kind: 'records', removedBefore: server.services.clock(), limit: 100 } as const;
      assert.equal((await ledger.sweep({ ...sweep, now: server.services.clock() })).count, 0);
      for (const body of [BODY, OTHER]) assert.equal((await server.putV(PATH, body)).status, 409);
      const got = await server.request(`/upload/${PATH}`);
      assert.equal(got.status, 404);
      assert.equal(got.headers['content-length'], '0');
    });
  }

  test('that is expired but not swept yet is 404 and 409 too', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    server.advance(30 * DAY);
    assert.equal((await server.request(`/upload/${PATH}`)).status, 404);
    assert.equal((await server.putV(PATH, BODY)).status, 409);
  });
});

describe("Metronome's DELETE", () => {
  const remove = (
    server: Awaited<ReturnType<typeof startTestSignedLinksServer>>,
    path: string,
    token = signDelete(path),
  ) => server.request(`/upload/${encodePath(path)}?token=${token}`, { method: 'DELETE' });

  test('removes the file: 204, then 404 at its link, 202 again, and 409 for its PUT', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const path = 'AbC=/très cool.jpg';
    assert.equal((await server.putV2(path, BODY, 'image/jpeg')).status, 201);
    assert.equal((await server.request(`/upload/${encodePath(path)}`)).status, 200);
    const reply = await remove(server, path);
    assert.equal(reply.status, 204);
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    assert.equal((await server.request(`/upload/${encodePath(path)}`)).status, 404);
    assert.equal((await remove(server, path)).status, 202);
    assert.equal((await server.putV2(path, BODY, 'image/jpeg')).status, 409);
    const [removal] = await server.services.ledger.listRemovals({ limit: 1 });
    assert.equal(removal?.reason, 'deleted');
  });

  test('is 202 for an unknown file and 403 with the signature of another link', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await remove(server, PATH)).status, 202);
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    for (const token of ['', signDelete(`${PATH}x`), signDelete(PATH, 'another secret'), signV(PATH, 100)]) {
      assert.equal((await remove(server, PATH, token)).status, 403, token);
    }
    assert.equal((await server.request(`/upload/${PATH}`)).status, 200);
  });

  test('is not allowed at all without a delete secret', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ deleteSecret: null });
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    const reply = await remove(server, PATH);
    assert.equal(reply.status, 405);
    assert.equal(reply.headers.allow, 'OPTIONS, HEAD, GET, PUT');
    assert.equal((await server.request(`/upload/${PATH}`)).status, 200);
  });

  test('is announced by CORS only where it is allowed', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const ask = async () => (await server.request(`/upload/${PATH}`, { method: 'OPTIONS' })).headers;
    const open = await ask();
    assert.equal(open.allow, 'OPTIONS, HEAD, GET, PUT, DELETE');
    assert.match(String(open['access-control-allow-methods']), /DELETE/);
    assert.match(String(open['access-control-allow-headers']), /X-Requested-With/);
    server.changeExternal({ deleteSecret: null });
    assert.doesNotMatch(String((await ask())['access-control-allow-methods']), /DELETE/);
  });
});
