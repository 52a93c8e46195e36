import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { removeUploads } from '../../../../src/uploads/remove.ts';
import {
  type ResumableAnswer,
  type ResumableClient,
  resumableClient,
} from '../../../support/resumable-client.ts';
import {
  signV,
  signV2,
  startTestSignedLinksServer,
  type TestSignedLinksServer,
} from '../../../support/test-signed-links-server.ts';

const SIZE = 200_000;
const BODY = Buffer.alloc(SIZE, 'a signed upload. ');
const TYPE = 'image/png';

interface Link {
  /** The target of the PUT. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The target of the GET. */
  readonly get: string;
  /** The status of a repeated PUT after the file was removed. */
  readonly removedStatus: number;
}

interface Kind {
  readonly link: (server: TestSignedLinksServer, name: string) => Link;
  /** The status for an `Upload-Length` that was not signed. */
  readonly wrongSize: number;
  /** The status without the signature or token. */
  readonly unsigned: number;
}

const external = (name: string, query: string): Link => ({
  target: `/upload/folder/${name}?${query}`,
  headers: { 'Content-Type': TYPE },
  get: `/upload/folder/${name}`,
  removedStatus: 409,
});

const kinds: Readonly<Record<string, Kind>> = {
  'HMAC v': {
    link: (_server, name) => external(name, `v=${signV(`folder/${name}`, SIZE)}`),
    wrongSize: 403,
    unsigned: 403,
  },
  'HMAC v2': {
    link: (_server, name) => external(name, `v2=${signV2(`folder/${name}`, SIZE, TYPE)}`),
    wrongSize: 403,
    unsigned: 403,
  },
  JWT: {
    link: (server, name) => ({
      target: `/file_share/slot/${name}`,
      headers: {
        'Content-Type': TYPE,
        Authorization: `Bearer ${server.token(`slot/${name}`, SIZE, { filetype: TYPE })}`,
      },
      get: `/file_share/slot/${name}`,
      removedStatus: 403,
    }),
    wrongSize: 413,
    unsigned: 401,
  },
};

interface Scene {
  readonly server: TestSignedLinksServer;
  readonly client: ResumableClient;
  readonly link: Link;
}

const resumable = { interimResponses: 'always', trustedProxies: () => false } as const;

async function openScene(t: TestContext, kind: Kind): Promise<Scene> {
  const server = await startTestSignedLinksServer(t, { settings: { resumable } });
  return { server, client: resumableClient(server.port, '8'), link: kind.link(server, 'a.png') };
}

function create({ client }: Scene, { target, headers }: Link, bytes: number): Promise<ResumableAnswer> {
  return client.create(target, { bytes: BODY.subarray(0, bytes), complete: false, length: SIZE, headers });
}

/** Begins an upload and leaves it with 1000 bytes. Returns its resource. */
async function begin(scene: Scene, link = scene.link): Promise<string> {
  const created = await create(scene, link, 1000);
  assert.deepEqual([created.status, created.offset, created.complete], [201, 1000, false], created.body);
  return created.resource ?? '';
}

const rest = { offset: 1000, bytes: BODY.subarray(1000), complete: true };

for (const [name, kind] of Object.entries(kinds)) {
  describe(`a resumable upload to a link signed by ${name}`, () => {
    test('comes in parts, and is served with the signed type', async (t) => {
      const scene = await openScene(t, kind);
      const { server, client, link } = scene;
      const resource = await begin(scene);
      assert.equal((await server.get(link.get)).status, 404);
      assert.equal((await client.append(resource, rest)).status, 201);
      const { headers, body } = await server.get(link.get);
      assert.ok(body.equals(BODY));
      assert.equal(headers['content-type'], TYPE);
    });

    test('goes on where its connection broke off', async (t) => {
      const { server, client, link } = await openScene(t, kind);
      const { target, headers } = link;
      const cut = await client.create(target, { bytes: BODY, complete: true, headers, cutAfter: 70_000 });
      assert.ok(cut.resource);
      const { offset = 0 } = await client.head(cut.resource);
      assert.ok(offset <= 70_000);
      const bytes = BODY.subarray(offset);
      assert.equal((await client.append(cut.resource, { offset, bytes, complete: true })).status, 201);
      assert.ok((await server.get(link.get)).body.equals(BODY));
    });

    test('needs the signature of its size, and only its secret afterwards', async (t) => {
      const scene = await openScene(t, kind);
      const { server, client, link } = scene;
      const { target, headers } = link;
      const bytes = BODY.subarray(0, 1000);
      for (const length of [1000, SIZE + 1]) {
        const answer = await client.create(target, { bytes, complete: false, length, headers });
        assert.deepEqual([answer.status, answer.resource], [kind.wrongSize, undefined], String(length));
      }
      const [path = ''] = target.split('?');
      const unsigned = await client.create(path, { bytes, complete: false, length: SIZE });
      assert.deepEqual([unsigned.status, unsigned.resource], [kind.unsigned, undefined]);
      assert.equal((await server.services.ledger.stats()).pendingUploads, 0);

      const resource = await begin(scene);
      const guessed = [`${path}?upload-resource=${'0'.repeat(26)}`, path, `${path}?upload-resource=`];
      for (const attempt of guessed) {
        assert.equal((await client.head(attempt)).status, 404, attempt);
        assert.ok((await client.append(attempt, rest)).status >= 400, attempt);
        assert.ok((await client.cancel(attempt)).status >= 400, attempt);
      }
      assert.equal((await client.head(resource)).offset, 1000);
    });

    test('cannot be touched with the signature or the resource of another link', async (t) => {
      const scene = await openScene(t, kind);
      const { server, client, link } = scene;
      const resource = await begin(scene);
      const other = kind.link(server, 'b.png');
      const otherResource = await begin(scene, other);
      const [path = ''] = link.target.split('?');
      const [, otherQuery = ''] = other.target.split('?');
      // The signature of the other link on the path of this one, and its resource.
      const foreign = await create(
        scene,
        { ...other, target: otherQuery ? `${path}?${otherQuery}` : path },
        10,
      );
      assert.equal(foreign.status, 403);
      const { headers } = other;
      const mixed = `${path}?${otherResource.split('?')[1]}`;
      await client.append(mixed, {
        ...rest,
        headers: { ...headers, 'Content-Type': 'application/partial-upload' },
      });
      await client.cancel(mixed);
      assert.equal((await client.head(resource)).offset, 1000);
      assert.equal((await client.append(resource, rest)).status, 201);
      assert.ok((await server.get(link.get)).body.equals(BODY));
    });

    test('is replaced by a new one to the same link, whose bytes alone are charged', async (t) => {
      const scene = await openScene(t, kind);
      const { server, client, link } = scene;
      const { ledger } = server.services;
      const old = await begin(scene);
      const resource = await begin(scene);
      assert.equal((await client.head(old)).status, 404);
      assert.equal((await client.append(old, rest)).status, 404);
      const { pendingUploads, pendingBytes } = await ledger.stats();
      assert.deepEqual([pendingUploads, pendingBytes], [1, SIZE]);
      assert.equal((await client.cancel(resource)).status, 204);
      assert.equal((await ledger.stats()).pendingUploads, 0);
      const whole = await server.request(link.target, {
        method: 'PUT',
        headers: { ...link.headers, 'Content-Length': SIZE },
        body: BODY,
      });
      assert.equal(whole.status, 201, 'the link can be used again');
    });

    test('is gone once its file was removed', async (t) => {
      const scene = await openScene(t, kind);
      const { server, client, link } = scene;
      const resource = await begin(scene);
      assert.equal((await client.append(resource, rest)).status, 201);
      const [stored] = await server.services.ledger.listUploads({ state: 'stored', limit: 1 });
      await removeUploads(server.services, { ids: [stored?.id ?? ''], reason: 'deleted', detail: '' });
      assert.equal((await client.head(resource)).status, 404);
      assert.equal((await client.append(resource, rest)).status, 404);
      assert.equal((await create(scene, link, 1000)).status, link.removedStatus);
    });
  });
}
