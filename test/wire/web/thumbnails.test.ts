import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { createFakeShrinker } from '../../support/fake-shrinker.ts';
import { pngSample } from '../../support/picture-samples.ts';
import { tinyWebp } from '../../support/pictures.ts';
import { jwt, UUID } from '../../support/test-signed-links-server.ts';
import {
  ADMIN,
  anonymous,
  FILE_SHARE_PATH,
  JULIET,
  LINK_SECRET,
  MODERATOR,
  ROMEO,
  startTestWebServer,
} from '../../support/test-web-server.ts';

interface ShownFile {
  readonly id: string;
  readonly url: string | null;
  readonly thumbnailUrl: string | null;
}

type FileList = { readonly files: readonly ShownFile[] };

const PNG = Buffer.concat([pngSample(800, 600), Buffer.alloc(1000)]);

async function start(t: TestContext) {
  const shrinker = createFakeShrinker();
  const server = await startTestWebServer(t, { shrinker });

  /** Uploads a file of Romeo to a link that the XMPP server has signed. */
  async function putSigned(name: string, type: string, body: Buffer): Promise<void> {
    const seconds = Math.floor(server.services.clock() / 1000);
    const claims = { sub: ROMEO, slot: UUID, filename: name, filesize: body.length, filetype: type };
    const token = jwt({ ...claims, iat: seconds, exp: seconds + 300 }, LINK_SECRET);
    const { status, text } = await server.request(`${FILE_SHARE_PATH}${UUID}/${name}`, {
      method: 'PUT',
      body,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': type },
    });
    assert.equal(status, 201, text);
  }

  return { ...server, shrinker, putSigned };
}

describe('the thumbnail of a file whose link only the XMPP server knows', () => {
  test('is shown to its owner, to admins and to moderators, and to no other user', async (t) => {
    const server = await start(t);
    await server.putSigned('photo.png', 'image/png', PNG);
    const [romeo, admin, moderator] = [
      await server.signIn(ROMEO),
      await server.signIn(ADMIN),
      await server.signIn(MODERATOR),
    ];
    const [own] = (await server.ok<FileList>('listFiles', { as: romeo })).files;
    const [any] = (await server.ok<FileList>('listAllFiles', { as: moderator })).files;
    assert.equal(own?.url, null);
    const id = own?.id ?? '';
    assert.equal(own?.thumbnailUrl, `api/v1/files/${id}/thumbnail`);
    assert.equal(any?.thumbnailUrl, `api/v1/admin/files/${id}/thumbnail`);

    const shown = await server.call('getThumbnail', { as: romeo, params: { id } });
    assert.deepEqual([shown.status, shown.headers['content-type']], [200, 'image/webp']);
    assert.deepEqual(shown.body, tinyWebp());
    for (const as of [admin, moderator])
      assert.deepEqual((await server.call('getAnyThumbnail', { as, params: { id } })).body, tinyWebp());
    assert.deepEqual(server.shrinker.widths, [320], 'it is made once');

    const juliet = await server.signIn(JULIET);
    assert.equal((await server.call('getThumbnail', { as: juliet, params: { id } })).status, 404);
    assert.equal((await server.call('getAnyThumbnail', { as: juliet, params: { id } })).status, 403);
    assert.equal((await server.call('getThumbnail', { as: anonymous, params: { id } })).status, 401);
  });

  test('is kept by the browser as long as the file exists', async (t) => {
    const server = await start(t);
    await server.putSigned('photo.png', 'image/png', PNG);
    const as = await server.signIn(ROMEO);
    const [{ id } = { id: '' }] = (await server.ok<FileList>('listFiles', { as })).files;
    const { headers } = await server.call('getThumbnail', { as, params: { id } });
    const again = () =>
      server.call('getThumbnail', {
        as,
        params: { id },
        headers: { 'If-None-Match': String(headers.etag) },
      });
    assert.equal((await again()).status, 304);
    await server.ok('deleteFile', { as, params: { id } });
    assert.equal((await again()).status, 404);
  });
});

describe('the lists of files', () => {
  test('show an icon instead of a thumbnail for HEIC, whose decoder is missing', async (t) => {
    const server = await start(t);
    const heic = Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), PNG]);
    await server.putSigned('IMG_1.HEIC', 'image/heic', heic);
    const as = await server.signIn(ROMEO);
    const [file] = (await server.ok<FileList>('listFiles', { as })).files;
    assert.equal(file?.thumbnailUrl, null);
    const answer = await server.call('getThumbnail', { as, params: { id: file?.id ?? '' } });
    assert.equal(answer.status, 404);
    const link = `${FILE_SHARE_PATH}${UUID}/IMG_1.HEIC?thumb=320`;
    assert.equal((await server.request(link)).status, 404);
    assert.deepEqual(server.shrinker.widths, []);
  });
});
