import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { toSlotBlobKey } from '../../../../src/base/blob-keys.ts';
import { sha256Hex } from '../../../../src/base/ids.ts';
import { blobUrl } from '../../../../src/uploads/links.ts';
import { removeUploads } from '../../../../src/uploads/remove.ts';
import { runSweep } from '../../../../src/uploads/sweep.ts';
import { restoreFiles } from '../../../../src/uploads/user-files/user-files.ts';
import { createFakeShrinker } from '../../../support/fake-shrinker.ts';
import { startInfectedClamd } from '../../../support/infected-clamd.ts';
import { pngSample } from '../../../support/picture-samples.ts';
import { type ResumableClient, resumableClient } from '../../../support/resumable-client.ts';
import {
  startTestFileServer,
  type TestFileServer,
  type TestFileServerOptions,
  type TestSlot,
} from '../../../support/test-file-server.ts';
import { DAY } from '../../../support/test-services.ts';

const BODY = randomBytes(200_000);
const PICTURE = Buffer.concat([pngSample(800, 600), Buffer.alloc(1000)]);
const OWNER = 'romeo@example.org';

interface Scene {
  readonly server: TestFileServer;
  readonly client: ResumableClient;
}

async function openScene(t: TestContext, options: TestFileServerOptions = {}): Promise<Scene> {
  const resumable = { interimResponses: 'always', trustedProxies: () => false } as const;
  const server = await startTestFileServer(t, { ...options, settings: { resumable } });
  return { server, client: resumableClient(server.port, '8') };
}

/** Begins an upload and leaves it with 1000 bytes. Returns its resource. */
async function begin({ client }: Scene, { putPath }: TestSlot, body = BODY): Promise<string> {
  const created = await client.create(putPath, { bytes: body.subarray(0, 1000), complete: false });
  assert.equal(created.status, 201, created.body);
  return created.resource ?? '';
}

const restOf = (body: Buffer) => ({ offset: 1000, bytes: body.subarray(1000), complete: true });

async function storeInParts(scene: Scene, slot: TestSlot, body = BODY): Promise<string> {
  const resource = await begin(scene, slot, body);
  assert.equal((await scene.client.append(resource, restOf(body))).status, 201);
  return resource;
}

async function keysOf({ services }: TestFileServer): Promise<string[]> {
  await services.blobDeleter.idle();
  return (await Array.fromAsync(services.blobs.list())).map(({ key }) => key);
}

describe('a file that comes in parts', () => {
  test('has no public name before its last part, if a web server sends the files', async (t) => {
    const scene = await openScene(t);
    const { server, client } = scene;
    server.setRules({ fileUrlBuilder: blobUrl });
    const slot = await server.grantSlot({ size: BODY.length });
    const publicFile = async () => {
      const upload = await server.services.ledger.find(slot.id);
      return join(server.folder, 'blobs', toSlotBlobKey(upload?.blob ?? ''));
    };
    const resource = await begin(scene, slot);
    assert.equal(existsSync(await publicFile()), false);
    const part = { offset: 1000, bytes: BODY.subarray(1000), complete: false };
    assert.equal((await client.append(resource, part)).status, 204);
    assert.equal(existsSync(await publicFile()), false, 'all bytes are there, but the upload has not ended');
    const end = { offset: BODY.length, bytes: new Uint8Array(), complete: true };
    assert.equal((await client.append(resource, end)).status, 201);
    assert.equal(existsSync(await publicFile()), true);
    assert.deepEqual(await keysOf(server), [toSlotBlobKey((await keysOf(server))[0] ?? '')]);
  });

  test('is refused and put into quarantine at its last part, if it is infected', async (t) => {
    const scene = await openScene(t);
    const { server, client } = scene;
    server.setRules({ content: { hash: false, scan: await startInfectedClamd(t) } });
    const slot = await server.grantSlot({ size: BODY.length });
    const resource = await begin(scene, slot);
    const answer = await client.append(resource, restOf(BODY));
    assert.deepEqual([answer.status, answer.complete], [422, true], answer.body);
    assert.equal((await server.get(slot.getPath)).status, 404);
    assert.equal((await client.head(resource)).status, 404);
    const { uploads, pendingUploads } = await server.services.ledger.stats();
    assert.deepEqual([uploads, pendingUploads], [0, 0]);
    const [found] = await server.services.ledger.listQuarantine({ limit: 1 });
    assert.deepEqual(await keysOf(server), [found?.blob]);
    assert.equal((await server.put(slot, BODY)).status, 422, 'as a repetition is');
  });

  test('keeps its bytes while the scanner does not answer, and is stored later', async (t) => {
    const scene = await openScene(t);
    const { server, client } = scene;
    const clamd = await startInfectedClamd(t);
    const scan = { ...clamd, address: { path: join(server.folder, 'no-clamd.sock') } };
    server.setRules({ content: { hash: false, scan } });
    const slot = await server.grantSlot({ size: BODY.length });
    const resource = await begin(scene, slot);
    const refused = await client.append(resource, restOf(BODY));
    assert.deepEqual([refused.status, refused.offset, refused.complete], [503, BODY.length, false]);
    const state = await client.head(resource);
    assert.deepEqual([state.offset, state.complete], [BODY.length, false]);
    server.setRules({ content: { hash: false, scan: null } });
    const end = { offset: BODY.length, bytes: new Uint8Array(), complete: true };
    assert.equal((await client.append(resource, end)).status, 201);
    assert.ok((await server.get(slot.getPath)).body.equals(BODY));
  });

  test('is refused and deleted at its last part, if its hash is blocked', async (t) => {
    const scene = await openScene(t);
    const { server, client } = scene;
    const sha256 = sha256Hex(BODY);
    await server.services.ledger.blockHash({
      sha256,
      reason: '',
      blockedBy: 'admin',
      blockedAt: 0,
      size: null,
    });
    const slot = await server.grantSlot({ size: BODY.length });
    const resource = await begin(scene, slot);
    assert.equal((await client.append(resource, restOf(BODY))).status, 422);
    assert.equal((await client.head(resource)).status, 404);
    assert.deepEqual(await keysOf(server), []);
  });

  test('gets thumbnails, which are removed with it', async (t) => {
    const shrinker = createFakeShrinker();
    const scene = await openScene(t, { shrinker, cacheTrustMs: 0 });
    const { server } = scene;
    const slot = await server.grantSlot({ size: PICTURE.length, name: 'a.png', type: 'image/png' });
    const resource = await begin(scene, slot, PICTURE);
    assert.equal((await server.get(`${slot.getPath}?thumb=320`)).status, 404);
    assert.equal((await scene.client.append(resource, restOf(PICTURE))).status, 201);
    assert.equal((await server.get(`${slot.getPath}?thumb=320`)).status, 200);
    assert.equal((await keysOf(server)).length, 2);
    await removeUploads(server.services, { ids: [slot.id], reason: 'deleted', detail: '' });
    server.services.blobDeleter.wake();
    assert.deepEqual(await keysOf(server), []);
  });

  test('can be restored from the trash, and leaves nothing when it is removed unfinished', async (t) => {
    const scene = await openScene(t, { cacheTrustMs: 0 });
    const { server, client } = scene;
    const { services } = server;
    server.setRules({ trashMs: DAY });
    const slot = await server.grantSlot({ size: BODY.length });
    const stored = await storeInParts(scene, slot);
    await removeUploads(services, { ids: [slot.id], reason: 'deleted', detail: '' });
    assert.equal((await client.head(stored)).status, 404);
    await restoreFiles(services, { ids: [slot.id], owner: OWNER });
    assert.ok((await server.get(slot.getPath)).body.equals(BODY));

    const other = await server.grantSlot({ size: BODY.length });
    const unfinished = await begin(scene, other);
    await removeUploads(services, { ids: [other.id], reason: 'deleted', detail: '' });
    assert.equal((await client.head(unfinished)).status, 404);
    assert.equal((await client.append(unfinished, restOf(BODY))).status, 404);
    services.blobDeleter.wake();
    assert.equal((await keysOf(server)).length, 1);
    assert.equal((await services.ledger.stats()).pendingUploads, 0);
  });

  test('is swept unfinished with its charge when its time is over', async (t) => {
    const scene = await openScene(t);
    const { server } = scene;
    await begin(scene, await server.grantSlot({ size: BODY.length }));
    server.advance(59 * 60_000);
    await runSweep(server.services, { keepRecords: null });
    assert.equal((await server.services.ledger.stats()).pendingBytes, BODY.length);
    server.advance(2 * 60_000);
    await runSweep(server.services, { keepRecords: null });
    assert.equal((await server.services.ledger.stats()).pendingBytes, 0);
    assert.deepEqual(await keysOf(server), []);
  });

  test('gets 503 while the storage is moved, and goes on where it is afterwards', async (t) => {
    const scene = await openScene(t);
    const { server, client } = scene;
    const { ledger } = server.services;
    const slot = await server.grantSlot({ size: BODY.length });
    const resource = await begin(scene, slot);
    for (const state of ['closing', 'moved'] as const) {
      await ledger.setMigrationState(state);
      const answer = await client.append(resource, restOf(BODY));
      assert.equal(answer.status, 503, state);
      assert.ok(answer.body.length > 0);
    }
    // The move was given up.
    await ledger.setMigrationState('open');
    assert.equal((await client.append(resource, restOf(BODY))).status, 201);
    assert.ok((await server.get(slot.getPath)).body.equals(BODY));
  });
});
