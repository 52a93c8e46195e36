import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { thumbnailKeysOf } from '../../../src/base/blob-keys.ts';
import { deleteFilesOfDeadWriters } from '../../../src/uploads/blobs/dead-writers.ts';
import { removeUploads } from '../../../src/uploads/remove.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { restoreFiles } from '../../../src/uploads/user-files/user-files.ts';
import { createFakeShrinker } from '../../support/fake-shrinker.ts';
import { pngSample } from '../../support/picture-samples.ts';
import { tinyWebp } from '../../support/pictures.ts';
import { startTestFileServer, type TestFileServerOptions } from '../../support/test-file-server.ts';
import { DAY } from '../../support/test-services.ts';
import { startTestSignedLinksServer, UUID } from '../../support/test-signed-links-server.ts';

const PNG = Buffer.concat([pngSample(800, 600), Buffer.alloc(1000)]);
const PICTURE = { name: 'höhle.v2.png', type: 'image/png' };

async function start(t: TestContext, options: TestFileServerOptions = {}) {
  const shrinker = createFakeShrinker();
  const server = await startTestFileServer(t, { shrinker, cacheTrustMs: 0, ...options });
  const storePicture = () => server.storeFile(PNG, PICTURE);
  const storedKeys = async () =>
    (await Array.fromAsync(server.services.blobs.list())).map(({ key }) => key).sort();
  return { ...server, shrinker, storePicture, storedKeys };
}

describe('GET with ?thumb=', () => {
  test('answers with a WebP under the headers of a download, made once', async (t) => {
    const { get, storePicture, shrinker } = await start(t);
    const { getPath, id } = await storePicture();
    const { status, headers, body } = await get(`${getPath}?thumb=320`);
    assert.equal(status, 200);
    assert.deepEqual(body, tinyWebp());
    assert.equal(headers['content-type'], 'image/webp');
    assert.equal(headers['content-length'], String(tinyWebp().length));
    assert.equal(headers.etag, `"${id}-320"`);
    assert.match(
      String(headers['content-disposition']),
      /^inline; .*filename\*=UTF-8''h%C3%B6hle\.v2\.webp$/,
    );
    const file = await get(getPath);
    for (const name of [
      'content-security-policy',
      'x-content-type-options',
      'cache-control',
      'last-modified',
    ])
      assert.equal(headers[name], file.headers[name], name);
    assert.equal(headers['access-control-allow-origin'], '*');
    await get(`${getPath}?v=1&thumb=320`);
    assert.deepEqual(shrinker.widths, [320]);
    assert.equal((await get(`${getPath}?thumb=640`)).headers.etag, `"${id}-640"`);
    assert.deepEqual(shrinker.widths, [320, 640]);
  });

  test('answers HEAD, conditions and ranges as for a file', async (t) => {
    const { get, storePicture } = await start(t);
    const { getPath } = await storePicture();
    const path = `${getPath}?thumb=320`;
    const head = await get(path, {}, 'HEAD');
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.body.length],
      [200, String(tinyWebp().length), 0],
    );
    const etag = String(head.headers.etag);
    assert.equal((await get(path, { 'If-None-Match': etag })).status, 304);
    assert.equal((await get(path, { 'If-Match': '"other"' })).status, 412);
    const part = await get(path, { Range: 'bytes=0-3' });
    assert.deepEqual([part.status, part.body.toString()], [206, 'RIFF']);
  });

  test('answers 400 to a width that is not offered, and 404 to an unknown file', async (t) => {
    const { get, storePicture, shrinker } = await start(t);
    const { getPath } = await storePicture();
    for (const width of ['321', '0', '', '0320', '320px', '1e9', '-1']) {
      const { status, body } = await get(`${getPath}?thumb=${width}`);
      assert.deepEqual([status, body.length], [400, 0], width);
    }
    assert.equal((await get('/files/00000000000000000000000000/a.png?thumb=320')).status, 404);
    assert.deepEqual(shrinker.widths, []);
  });

  test('answers 404 for encrypted and unsafe files, whatever their type, and decodes nothing', async (t) => {
    const { get, storeFile, shrinker } = await start(t);
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const files = [
      [randomBytes(500).fill(1, 0, 1), { name: 'photo.jpg', type: 'image/jpeg' }],
      [randomBytes(500).fill(1, 0, 1), { name: 'photo.jpg', type: 'application/octet-stream' }],
      [svg, { name: 'drawing.svg', type: 'image/svg+xml' }],
      [svg, { name: 'drawing.png', type: 'image/png' }],
      [PNG, { name: 'page.html', type: 'text/html' }],
      [PNG, { name: 'book.pdf', type: 'application/pdf' }],
    ] as const;
    for (const [bytes, request] of files) {
      const { getPath } = await storeFile(bytes, request);
      const { status, body } = await get(`${getPath}?thumb=320`);
      assert.deepEqual([status, body.length], [404, 0], request.type);
      assert.equal((await get(getPath)).status, 200);
    }
    assert.deepEqual(shrinker.widths, []);
  });

  test('does not try a damaged picture again, also after a restart', async (t) => {
    const options: TestFileServerOptions = {};
    const { get, storePicture, shrinker, services } = await start(t, options);
    shrinker.result = { kind: 'damaged', reason: 'it is cut off' };
    const { getPath, id } = await storePicture();
    for (let i = 0; i < 3; i += 1) assert.equal((await get(`${getPath}?thumb=320`)).status, 404);
    assert.deepEqual(shrinker.widths, [320]);
    const { createThumbnails } = await import('../../../src/uploads/thumbnails/thumbnails.ts');
    const restarted = createThumbnails(services, shrinker);
    const upload = await services.ledger.find(id);
    assert.ok(upload);
    assert.equal(await restarted.find(upload, 320), undefined);
    assert.deepEqual(shrinker.widths, [320]);
  });

  test('tries a picture at which the process ended again after a day', async (t) => {
    const { get, storePicture, shrinker, advance } = await start(t);
    shrinker.result = { kind: 'gave_up', reason: 'it ended (SIGSEGV)' };
    const { getPath } = await storePicture();
    for (let i = 0; i < 2; i += 1) assert.equal((await get(`${getPath}?thumb=320`)).status, 404);
    assert.deepEqual(shrinker.widths, [320]);
    shrinker.result = { kind: 'made', thumbnail: tinyWebp() };
    advance(DAY + 1);
    assert.equal((await get(`${getPath}?thumb=320`)).status, 200);
  });

  test('answers 503 and remembers nothing while the decoder cannot be used', async (t) => {
    const { get, storePicture, shrinker, storedKeys } = await start(t);
    shrinker.result = { kind: 'unusable', reason: 'Cannot find module sharp' };
    const { getPath } = await storePicture();
    assert.equal((await get(`${getPath}?thumb=320`)).status, 503);
    assert.equal((await storedKeys()).length, 1);
    shrinker.result = { kind: 'made', thumbnail: tinyWebp() };
    assert.equal((await get(`${getPath}?thumb=320`)).status, 200);
  });

  test('makes one thumbnail for several requests at once', async (t) => {
    const { get, storePicture, shrinker } = await start(t);
    const { getPath } = await storePicture();
    const answers = await Promise.all([1, 2, 3, 4].map(() => get(`${getPath}?thumb=320`)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.deepEqual(shrinker.widths, [320]);
  });

  test('sends the thumbnail itself where others send the files', async (t) => {
    const { get, storePicture } = await start(t, {
      presignedLinks: async () => 'https://s3.example.org/',
      delivery: () => ({ headers: ['X-Accel-Redirect', '/blobs/'] }),
    });
    const { getPath } = await storePicture();
    const { status, headers } = await get(`${getPath}?thumb=320`);
    assert.deepEqual([status, headers['x-accel-redirect'], headers.location], [200, undefined, undefined]);
  });

  test('answers at links that an XMPP server has signed', async (t) => {
    const server = await startTestSignedLinksServer(t, { shrinker: createFakeShrinker() });
    const path = `${UUID}/photo.png`;
    assert.equal((await server.putV(path, PNG)).status, 201);
    assert.equal((await server.putFileShare(path, PNG, { filetype: 'image/png' })).status, 201);
    for (const prefix of ['/upload/', '/file_share/']) {
      const { status, headers, body } = await server.request(`${prefix}${path}?thumb=320`);
      assert.deepEqual([status, headers['content-type']], [200, 'image/webp'], prefix);
      assert.deepEqual(body, tinyWebp());
    }
  });

  test('without thumbnails means the file itself', async (t) => {
    const { get, storeFile } = await startTestFileServer(t);
    const { getPath } = await storeFile(PNG, PICTURE);
    const { status, body } = await get(`${getPath}?thumb=320`);
    assert.deepEqual([status, body], [200, PNG]);
  });
});

describe('a thumbnail', () => {
  test('is gone with its file, however that is removed', async (t) => {
    const { get, storePicture, storedKeys, services, advance } = await start(t);
    const byAdmin = await storePicture();
    const byAge = await storePicture();
    for (const { getPath } of [byAdmin, byAge])
      for (const width of [320, 640]) assert.equal((await get(`${getPath}?thumb=${width}`)).status, 200);
    assert.equal((await storedKeys()).length, 6);
    await removeUploads(services, { ids: [byAdmin.id], reason: 'deleted', detail: '' });
    assert.equal((await get(`${byAdmin.getPath}?thumb=320`)).status, 404);
    assert.equal((await storedKeys()).length, 3);
    advance(31 * DAY);
    assert.equal((await get(`${byAge.getPath}?thumb=320`)).status, 404);
    await runSweep(services, { keepRecords: null });
    assert.deepEqual(await storedKeys(), []);
  });

  test('is not served while its file is in the trash, and again when it is restored', async (t) => {
    const { get, storePicture, services, setRules, shrinker } = await start(t);
    setRules({ trashMs: DAY });
    const { getPath, id } = await storePicture();
    assert.equal((await get(`${getPath}?thumb=320`)).status, 200);
    await removeUploads(services, { ids: [id], reason: 'deleted', detail: '' });
    assert.equal((await get(`${getPath}?thumb=320`)).status, 404);
    await restoreFiles(services, { ids: [id], owner: 'romeo@example.org' });
    assert.equal((await get(`${getPath}?thumb=320`)).status, 200);
    assert.deepEqual(shrinker.widths, [320]);
  });

  test('that is made while its file is removed is neither served nor kept', async (t) => {
    const { get, storePicture, storedKeys, services, shrinker } = await start(t);
    const { getPath, id } = await storePicture();
    shrinker.before = async () => {
      await removeUploads(services, { ids: [id], reason: 'deleted', detail: '' });
    };
    assert.equal((await get(`${getPath}?thumb=320`)).status, 404);
    assert.deepEqual(await storedKeys(), []);
  });

  test('stays when the process that has written its file is killed, and goes if the file has no upload', async (t) => {
    const { storePicture, get, storedKeys, services } = await start(t);
    const { getPath } = await storePicture();
    await get(`${getPath}?thumb=320`);
    const [file = '', thumbnail = ''] = await storedKeys();
    const orphan = thumbnailKeysOf(`${file.slice(0, 3)}0${file.slice(4)}`)[0] ?? '';
    assert.notEqual(orphan, thumbnail);
    await services.blobs.put(
      orphan,
      (async function* () {
        yield [tinyWebp()];
      })(),
    );
    await services.ledger.removeInstances(['test']);
    await deleteFilesOfDeadWriters(services);
    assert.deepEqual(await storedKeys(), [file, thumbnail]);
  });

  test('that is damaged on the disk is made again', async (t) => {
    const { get, storePicture, services, shrinker } = await start(t);
    const { getPath, id } = await storePicture();
    const upload = await services.ledger.find(id);
    const [key = ''] = thumbnailKeysOf(upload?.blob ?? '');
    await services.blobs.put(
      key,
      (async function* () {
        yield [tinyWebp().subarray(0, 10)];
      })(),
    );
    assert.deepEqual((await get(`${getPath}?thumb=320`)).body, tinyWebp());
    assert.deepEqual(shrinker.widths, [320]);
  });

  test('is served from memory if it cannot be stored', async (t) => {
    const { get, storePicture, storedKeys, shrinker, services } = await start(t);
    const { getPath } = await storePicture();
    services.blobs.put = () => Promise.reject(new Error('the disk is full'));
    for (let i = 0; i < 2; i += 1) assert.equal((await get(`${getPath}?thumb=320`)).status, 200);
    assert.deepEqual(shrinker.widths, [320]);
    assert.equal((await storedKeys()).length, 1);
  });
});
