import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import type { ContentRules } from '../../../src/uploads/content/content-checks.ts';
import {
  ADMIN,
  MODERATOR,
  ROMEO,
  startTestWebServer,
  type TestClient,
  type TestWebServer,
} from '../../support/test-web-server.ts';

const BODY = 'the bytes that are not wanted';
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const HASHING: ContentRules = { hash: true, scan: null };

interface Slot {
  readonly id: string;
  readonly putUrl: string;
  readonly getUrl: string;
}

/** Sends a file as the page does. Returns the answer of the PUT with its slot. */
async function send(server: TestWebServer, as: TestClient, name = 'a.txt', body = BODY) {
  const slot = await server.ok<Slot>('createSlot', {
    as,
    body: { name, size: body.length, type: 'text/plain' },
  });
  const answer = await server.request(new URL(slot.putUrl).pathname, {
    method: 'PUT',
    body,
    headers: { 'Content-Type': 'text/plain' },
  });
  return { ...slot, ...answer };
}

/** Puts an infected file of Romeo into the quarantine, as a scan does. */
async function infect(server: TestWebServer): Promise<string> {
  const slot = await server.requestSlot({ jid: ROMEO, name: 'macro.doc', size: BODY.length });
  const { ledger, blobs, clock } = server.services;
  const upload = await ledger.find(slot.id);
  assert.ok(upload);
  async function* bytes() {
    yield [Buffer.from(BODY)];
  }
  await blobs.put(upload.blob, bytes());
  const now = clock();
  const found = { sha256: SHA256, signature: 'Test.Macro', keepsBytes: true, now, purgeAt: now + 86_400_000 };
  assert.equal(await ledger.quarantine({ upload, holds: 'slot', ...found }), true);
  return slot.id;
}

describe('a blocked file', () => {
  test('is refused at every upload, its copies are deleted, and it can be unblocked', async (t) => {
    const server = await startTestWebServer(t);
    const [romeo, admin] = [await server.signIn(ROMEO), await server.signIn(ADMIN)];
    const unhashed = await send(server, romeo, 'before-hashing.txt');
    server.setRules({ content: HASHING });
    const hashed = await send(server, romeo, 'b.txt');
    const other = await send(server, romeo, 'other.txt', BODY.replace('the', 'THE'));
    assert.deepEqual([unhashed.status, hashed.status, other.status], [201, 201, 201]);
    server.setRules({ content: { hash: false, scan: null } });
    const blocked = await server.ok<{ sha256: string; removed: number; size: number }>('blockFile', {
      as: admin,
      body: { target: hashed.getUrl, reason: 'spam', removeCopies: true },
    });
    assert.deepEqual([blocked.sha256, blocked.size, blocked.removed], [SHA256, BODY.length, 2]);
    for (const { getUrl, status } of [
      { ...unhashed, status: 404 },
      { ...hashed, status: 404 },
      { ...other, status: 200 },
    ]) {
      assert.equal((await server.request(new URL(getUrl).pathname)).status, status);
    }
    const refused = await send(server, romeo, 'renamed.jpg');
    assert.deepEqual(
      [refused.status, refused.text.trim()],
      [422, 'This file is blocked by the administrator of this service.'],
    );
    const list = await server.ok<{ files: object[] }>('listBlocked', { as: admin });
    assert.deepEqual(
      list.files.map((file) => ({ ...file, blockedAt: '' })),
      [{ sha256: SHA256, size: BODY.length, reason: 'spam', blockedBy: ADMIN, blockedAt: '' }],
    );
    const { entries } = await server.ok<{ entries: { action: string; actor: string; files: number }[] }>(
      'listAudit',
      { as: admin },
    );
    assert.deepEqual([entries[0]?.action, entries[0]?.actor, entries[0]?.files], ['block_file', ADMIN, 2]);
    await server.ok('unblockFile', { as: admin, body: { sha256: SHA256 } });
    assert.equal((await send(server, romeo)).status, 201);
    const again = await server.call('unblockFile', { as: admin, body: { sha256: SHA256 } });
    assert.equal(again.status, 404);
  });

  test('cannot be brought back from the trash, and an unknown file cannot be blocked', async (t) => {
    const server = await startTestWebServer(t);
    const [romeo, admin] = [await server.signIn(ROMEO), await server.signIn(ADMIN)];
    server.setRules({ content: HASHING, trashMs: 86_400_000 });
    const { id } = await send(server, romeo);
    await server.ok('deleteFiles', { as: romeo, body: { ids: [id] } });
    await server.ok('blockFile', { as: admin, body: { target: SHA256 } });
    for (const [route, as] of [
      ['restoreFiles', romeo],
      ['restoreAnyFiles', admin],
    ] as const) {
      const refused = await server.call(route, { as, body: { ids: [id] } });
      assert.equal(refused.status, 422);
      assert.match(refused.text, /"detail":"This file is blocked by the administrator of this service\."/);
    }
    const unknown = await server.call('blockFile', { as: admin, body: { target: id } });
    assert.equal(unknown.status, 404);
  });
});

describe('the quarantine', () => {
  test('shows infected files to moderators, who delete them but neither read nor release them', async (t) => {
    const server = await startTestWebServer(t);
    const moderator = await server.signIn(MODERATOR);
    const id = await infect(server);
    const { files } = await server.ok<{ files: Record<string, unknown>[] }>('listQuarantine', {
      as: moderator,
    });
    const [file] = files;
    assert.deepEqual(
      [file?.id, file?.owner, file?.name, file?.signature, file?.sha256, file?.hasContent],
      [id, ROMEO, 'macro.doc', 'Test.Macro', SHA256, true],
    );
    for (const route of ['releaseQuarantined', 'downloadQuarantined'] as const) {
      assert.equal((await server.call(route, { as: moderator, params: { id } })).status, 403);
    }
    assert.equal((await server.call('blockFile', { as: moderator, body: { target: id } })).status, 403);
    assert.deepEqual(await server.ok('deleteQuarantined', { as: moderator, body: { ids: [id] } }), {
      deleted: 1,
    });
    assert.deepEqual(await server.ok('listQuarantine', { as: moderator }), { files: [], next: null });
    const { services } = server;
    assert.equal(
      (await services.blobs.size((await services.ledger.find(id))?.blob ?? 'aa/x.bin')) ?? null,
      null,
    );
  });

  test('gives an admin the bytes as an attachment, and releases a file to the link of its owner', async (t) => {
    const server = await startTestWebServer(t);
    const admin = await server.signIn(ADMIN);
    const id = await infect(server);
    assert.equal((await server.request(`/d/${id}/macro.doc`)).status, 404);
    const answer = await server.request(`/web/api/v1/admin/quarantine/${id}/content`, {
      headers: admin.headers,
    });
    assert.deepEqual([answer.status, answer.text], [200, BODY]);
    assert.equal(answer.headers['content-disposition'], `attachment; filename="infected-${id}.bin"`);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(String(answer.headers['content-security-policy']), /sandbox/);
    const { url } = await server.ok<{ url: string }>('releaseQuarantined', { as: admin, params: { id } });
    assert.equal((await server.request(new URL(url).pathname)).text, BODY);
    const romeo = await server.signIn(ROMEO);
    const own = await server.ok<{ files: { id: string }[] }>('listFiles', { as: romeo });
    assert.deepEqual(
      own.files.map((file) => file.id),
      [id],
    );
    assert.equal((await server.call('releaseQuarantined', { as: admin, params: { id } })).status, 404);
  });

  test('blocks an infected file by its id, and does not release it while it is blocked', async (t) => {
    const server = await startTestWebServer(t);
    const admin = await server.signIn(ADMIN);
    const id = await infect(server);
    const { sha256 } = await server.ok<{ sha256: string }>('blockFile', { as: admin, body: { target: id } });
    assert.equal(sha256, SHA256);
    const { files } = await server.ok<{ files: { isBlocked: boolean }[] }>('listQuarantine', { as: admin });
    assert.equal(files[0]?.isBlocked, true);
    assert.equal((await server.call('releaseQuarantined', { as: admin, params: { id } })).status, 422);
  });
});

test('files that were not scanned are a state in the list of the admin', async (t) => {
  const server = await startTestWebServer(t);
  const [romeo, admin] = [await server.signIn(ROMEO), await server.signIn(ADMIN)];
  await send(server, romeo, 'before.txt');
  const scan = {
    address: { path: '/nowhere/clamd.ctl' },
    whenUnavailable: 'accept',
    maxSize: 1000,
    whenLarger: 'accept',
    timeoutMs: 1000,
    connections: 1,
    quarantineMs: 0,
  } as const;
  server.setRules({ content: { hash: false, scan } });
  const { status } = await send(server, romeo, 'unscanned.txt');
  await send(server, romeo, 'large.txt', 'x'.repeat(1001));
  assert.equal(status, 201);
  const { files } = await server.ok<{ files: { name: string; scan: string }[] }>('listAllFiles', {
    as: admin,
    query: { state: 'unscanned', sort: 'largest', owner: ROMEO },
  });
  assert.deepEqual(
    files.map(({ name, scan: state }) => [name, state]),
    [
      ['large.txt', 'too_large'],
      ['unscanned.txt', 'unavailable'],
    ],
  );
  server.setRules({ content: { hash: false, scan: { ...scan, whenUnavailable: 'refuse' } } });
  const refused = await send(server, romeo, 'refused.txt');
  assert.equal(refused.status, 503);
});
