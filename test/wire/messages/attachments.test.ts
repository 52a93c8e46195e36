import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { blobUrl } from '../../../src/uploads/links.ts';
import { createThumbnails } from '../../../src/uploads/thumbnails/thumbnails.ts';
import { createFakeShrinker } from '../../support/fake-shrinker.ts';
import { encodeForm } from '../../support/http.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { pngSample, wholeWebp } from '../../support/picture-samples.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { ROMEO, startTestMessageServer, type TestMessageServer } from '../../support/test-message-server.ts';
import { access } from '../../support/test-services.ts';
import { waitUntil } from '../../support/wait-until.ts';

const JULIET = 'juliet@example.org';
const PICTURE = Buffer.concat([pngSample(640, 480), Buffer.alloc(300_000, 'picture')]);

async function postForm(
  server: TestMessageServer,
  fill: (form: FormData) => void,
  { path = '/msg/juliet', ...more }: Record<string, string> = {},
) {
  const { body, headers } = await encodeForm(fill);
  return server.post(path, body, { ...headers, ...more });
}

const file = (form: FormData, name: string, bytes: string | Buffer, type = '') =>
  form.append('file', new File([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], name, { type }));

const uploads = ({ services }: TestMessageServer) => services.ledger.listUploads({ limit: 100 });
const bodies = ({ delivered }: TestMessageServer) =>
  delivered.map(({ message }) => message.getChild('body')?.getText() ?? '');

/** The files beside the blobs in which forms are kept until they are complete. */
function spooled({ folder }: TestMessageServer): number {
  const spool = join(folder, 'blobs/spool');
  return existsSync(spool) ? readdirSync(spool).length : 0;
}

describe('A form with files', () => {
  test('stores them for the sender and sends the text, then a link to each file', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await postForm(
      server,
      (form) => {
        form.append('body', 'Look!');
        file(form, 'Capulet’s façade.png', PICTURE, 'image/png');
        file(form, 'note.txt', 'short', 'text/plain');
      },
      { Accept: 'application/json' },
    );
    assert.equal(reply.status, 201, reply.text);
    const [text, first = '', second = ''] = bodies(server);
    assert.equal(text, 'Look!');
    const { messages } = JSON.parse(reply.text);
    assert.deepEqual(
      messages.map(({ link }: { link?: string }) => link),
      [undefined, first, second],
    );
    const fetched = await server.request(new URL(first).pathname);
    assert.equal(fetched.status, 200);
    assert.ok(fetched.body.equals(PICTURE));
    assert.equal(fetched.headers['content-type'], 'image/png');
    const rows = await uploads(server);
    assert.deepEqual(rows.map(({ owner, endpoint, state, name }) => [owner, endpoint, state, name]).sort(), [
      [ROMEO, 'messages', 'stored', 'Capulet’s façade.png'],
      [ROMEO, 'messages', 'stored', 'note.txt'],
    ]);
    const shared = server.delivered[1]?.message.getChild('file-sharing')?.getChild('file');
    assert.equal(shared?.getChild('size')?.getText(), String(PICTURE.length));
    assert.equal(shared?.getChild('width')?.getText(), '640');
    assert.equal(shared?.getChild('height')?.getText(), '480');
    const sharings = server.delivered.slice(1).map(({ message }) => message.getChild('file-sharing'));
    assert.deepEqual(
      sharings.map((element) => element?.attrs.disposition),
      ['inline', 'attachment'],
    );
    assert.equal(new Set(sharings.map((element) => element?.attrs.id)).size, 2, 'each file has an id');
    assert.equal(shared?.getChild('hash')?.getText(), createHash('sha256').update(PICTURE).digest('base64'));
  });

  test('may have its fields after its files, and no text', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await postForm(
      server,
      (form) => {
        file(form, 'a.txt', 'a');
        form.append('to', 'juliet');
        form.append('to', 'nurse');
        form.append('subject', 'S');
      },
      { path: '/msg/' },
    );
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual(
      server.delivered.map(({ message }) => [message.attrs.to, message.getChild('subject')?.getText()]),
      [
        [JULIET, 'S'],
        ['nurse@example.org', 'S'],
      ],
    );
    assert.equal((await uploads(server)).length, 1, 'one file for both');
  });

  test('derives a missing media type from the file name', async (t) => {
    const server = await startTestMessageServer(t);
    await postForm(server, (form) => {
      file(form, 'a.webp', 'a', 'application/octet-stream');
      file(form, 'b', 'b', 'application/octet-stream');
      file(form, '../../etc/c.png', 'c');
    });
    assert.deepEqual((await uploads(server)).map(({ name, type }) => [name, type]).sort(), [
      ['a.webp', 'image/webp'],
      ['b', 'application/octet-stream'],
      ['c.png', 'image/png'],
    ]);
  });

  test('links to the requested host, or to the configured download URL', async (t) => {
    const server = await startTestMessageServer(t);
    const send = () => postForm(server, (form) => file(form, 'a.txt', 'a'), { Host: 'upload.example.org' });
    await send();
    server.changeRules({ downloadUrlFor: () => 'https://files.example.org/x' });
    await send();
    assert.match(bodies(server)[0] ?? '', /^http:\/\/upload\.example\.org\/files\//);
    assert.match(bodies(server)[1] ?? '', /^https:\/\/files\.example\.org\/x\/files\//);
  });

  test('carries the thumbnail of a picture, and none if that cannot be made', async (t) => {
    const server = await startTestMessageServer(t);
    const shrinker = createFakeShrinker();
    shrinker.result = { kind: 'made', thumbnail: wholeWebp(160, 90) };
    Object.assign(server.endpointDeps, { thumbnails: createThumbnails(server.services, shrinker) });
    await postForm(server, (form) => {
      file(form, 'a.png', 'encrypted', 'image/png');
      file(form, 'b.png', pngSample(1600, 900), 'image/png');
    });
    const [encrypted, shown] = server.delivered.map(({ message }) =>
      message
        .getChild('file-sharing', 'urn:xmpp:sfs:0')
        ?.getChild('file')
        ?.getChild('thumbnail', 'urn:xmpp:thumbs:1'),
    );
    assert.equal(encrypted, undefined);
    const { uri = '', ...rest } = shown?.attrs ?? {};
    assert.deepEqual(rest, {
      xmlns: 'urn:xmpp:thumbs:1',
      'media-type': 'image/webp',
      width: '160',
      height: '90',
    });
    assert.match(uri, /^http:\/\/[^/]+\/files\/[^/]+\/b\.png\?thumb=320$/);
    assert.equal(bodies(server)[1], uri.replace('?thumb=320', ''));
  });

  test('with files that a web server serves leads to Porter for the thumbnail', async (t) => {
    const server = await startTestMessageServer(t);
    server.setRules({ fileUrlBuilder: blobUrl });
    server.changeRules({
      downloadUrlFor: () => 'https://files.example.org',
      uploadUrlFor: () => 'https://upload.example.org',
    });
    const shrinker = createFakeShrinker();
    shrinker.result = { kind: 'made', thumbnail: wholeWebp(160, 90) };
    Object.assign(server.endpointDeps, { thumbnails: createThumbnails(server.services, shrinker) });
    await postForm(server, (form) => file(form, 'b.png', pngSample(1600, 900), 'image/png'));
    const message = server.delivered[0]?.message.toString() ?? '';
    assert.match(message, /<body>https:\/\/files\.example\.org\/..\//);
    assert.match(message, /uri="https:\/\/upload\.example\.org\/files\/[^/]+\/b\.png\?thumb=320"/);
  });
});

describe('A form with a refused file', () => {
  async function refused(
    t: TestContext,
    rule: Parameters<typeof access>[0],
    fill: (form: FormData) => void,
  ): Promise<{ status: number; text: string }> {
    const server = await startTestMessageServer(t);
    server.setRules({ access: access(rule) });
    const reply = await postForm(server, (form) => {
      form.append('body', 'Look!');
      fill(form);
    });
    assert.deepEqual(server.delivered, [], 'nothing is sent at all');
    assert.deepEqual(await uploads(server), [], 'nothing is left of it');
    assert.deepEqual(await pendingKeys(server.services.ledger), []);
    assert.equal(spooled(server), 0, 'no temporary file is left');
    return reply;
  }

  test('is answered 413 for its size, before the file is complete', async (t) => {
    const reply = await refused(t, { max_file_size: 1000 }, (form) => {
      file(form, 'small.txt', 'a');
      file(form, 'large.png', Buffer.alloc(5_000_000));
    });
    assert.equal(reply.status, 413);
    assert.match(reply.text, /1000 bytes/);
  });

  test('is answered 413 for the quota, and earlier files are removed', async (t) => {
    const reply = await refused(
      t,
      { max_file_size: 1_000_000, uploads_per: { period: 60_000, uploads: 1 } },
      (form) => {
        file(form, 'one.txt', 'a');
        file(form, 'two.txt', 'a');
      },
    );
    assert.equal(reply.status, 413);
  });

  test('is answered 413 for the total size', async (t) => {
    const reply = await refused(t, { max_total_size: 1000 }, (form) => {
      for (const name of ['a', 'b', 'c']) file(form, name, Buffer.alloc(400));
    });
    assert.equal(reply.status, 413);
  });

  test('is answered with the reason for its type, size or owner', async (t) => {
    const typed = await refused(t, { allowed_types: ['image/*'] }, (form) => file(form, 'a.txt', 'a'));
    assert.equal(typed.status, 403);
    const empty = await refused(t, {}, (form) => file(form, 'a.txt', ''));
    assert.equal(empty.status, 400);
    assert.match(empty.text, /Empty files cannot be sent/);
    const denied = await refused(t, { jid: ['^juliet@'] }, (form) => file(form, 'a.txt', 'a'));
    assert.equal(denied.status, 403);
  });

  test('is answered with the reason for too many parts or a long text', async (t) => {
    const many = await refused(t, {}, (form) => {
      for (let n = 0; n < 17; n += 1) file(form, `${n}.txt`, 'a');
    });
    assert.equal(many.status, 400);
    const fields = await refused(t, {}, (form) => {
      for (let n = 0; n < 201; n += 1) form.append(`f${n}`, 'a');
    });
    assert.equal(fields.status, 400);
    const long = await refused(t, {}, (form) => form.append('subject', 'x'.repeat(10_000)));
    assert.equal(long.status, 413);
  });
});

describe('A large file of a form', () => {
  /** Counts the files that are linked and copied into the store. */
  function watchStore({ services }: TestMessageServer) {
    const { blobs } = services;
    const { linkFile, put } = blobs;
    const seen = { linked: 0, copied: 0 };
    blobs.linkFile = async (key, file) => {
      seen.linked += 1;
      return linkFile?.(key, file);
    };
    blobs.put = (key, ...rest) => {
      seen.copied += 1;
      return put(key, ...rest);
    };
    return seen;
  }

  const send = (server: TestMessageServer) =>
    postForm(server, (form) => file(form, 'a.png', PICTURE, 'image/png'));

  async function assertServed(server: TestMessageServer): Promise<void> {
    const [link = ''] = bodies(server);
    assert.ok((await server.request(new URL(link).pathname)).body.equals(PICTURE));
    assert.equal(spooled(server), 0);
  }

  test('is linked into the store and not copied', async (t) => {
    const server = await startTestMessageServer(t);
    const seen = watchStore(server);
    assert.equal((await send(server)).status, 201);
    assert.deepEqual(seen, { linked: 1, copied: 0 });
    await assertServed(server);
  });

  test('is copied if the file system cannot link it', async (t) => {
    const server = await startTestMessageServer(t);
    server.services.blobs.linkFile = async () => undefined;
    assert.equal((await send(server)).status, 201);
    await assertServed(server);
  });

  test('is copied if another process has removed its name', async (t) => {
    const server = await startTestMessageServer(t);
    const { blobs } = server.services;
    const { linkFile } = blobs;
    blobs.linkFile = async (key, name) => {
      unlinkSync(name);
      return linkFile?.(key, name);
    };
    assert.equal((await send(server)).status, 201);
    await assertServed(server);
  });
});

describe('An incomplete form', () => {
  const HEAD = (length: number) =>
    `POST /msg/juliet HTTP/1.1\r\nHost: a\r\nAuthorization: Basic ${Buffer.from('romeo@example.org:pa:ss wörd').toString('base64')}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n`;
  const PART = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n';

  test('leaves nothing if the client disconnects', async (t) => {
    const server = await startTestMessageServer(t);
    const wire = await RawConnection.open(t, server.port);
    wire.send(HEAD(9_000_000) + PART + 'x'.repeat(5_000_000));
    await waitUntil(() => spooled(server) > 0);
    wire.reset();
    await waitUntil(() => spooled(server) === 0);
    assert.deepEqual(server.delivered, []);
    assert.deepEqual(await uploads(server), []);
  });

  test('uses one of 64 slots and releases it', async (t) => {
    const server = await startTestMessageServer(t);
    const wires = await Promise.all(Array.from({ length: 64 }, () => RawConnection.open(t, server.port)));
    for (const wire of wires) wire.send(HEAD(1000) + PART);
    await waitUntil(() => server.logins.length === 64);
    const send = () => postForm(server, (form) => form.append('body', 'x'));
    assert.equal((await send()).status, 503);
    assert.equal((await server.post('/msg/juliet', 'x')).status, 201, 'texts need none');
    for (const wire of wires) wire.reset();
    await waitUntil(async () => (await send()).status === 201);
  });

  test('is answered 408 if the client sends nothing more', async (t) => {
    const server = await startTestMessageServer(t, 50);
    const wire = await RawConnection.open(t, server.port);
    wire.send(HEAD(1_000_000) + PART + 'x'.repeat(10));
    await wire.waitFor(/HTTP\/1\.1 408/);
    assert.deepEqual(server.delivered, []);
  });

  test('is answered 400 if its end is missing or it is not a form', async (t) => {
    const server = await startTestMessageServer(t);
    const headers = { 'Content-Type': 'multipart/form-data; boundary=b' };
    for (const body of [`${PART}abc`, 'nonsense', '', '--b\r\n', `${PART}abc\r\n--b\r\n`]) {
      const reply = await server.post('/msg/juliet', body, headers);
      assert.equal(reply.status, 400, `${JSON.stringify(body)} ${reply.text}`);
    }
    assert.deepEqual(server.delivered, []);
  });
});

describe('Files of a message that is not sent', () => {
  test('are removed if no message can have arrived, and kept otherwise', async (t) => {
    const server = await startTestMessageServer(t);
    let fault: 'unavailable' | 'no_answer' = 'unavailable';
    server.onDeliver(() => {
      throw new Refusal(fault);
    });
    assert.equal((await postForm(server, (form) => file(form, 'a.txt', 'a'))).status, 503);
    assert.deepEqual(await uploads(server), []);
    fault = 'no_answer';
    assert.equal((await postForm(server, (form) => file(form, 'a.txt', 'a'))).status, 504);
    assert.equal((await uploads(server)).length, 1);
  });

  test('are not stored a second time by a retry with the same key', async (t) => {
    const server = await startTestMessageServer(t);
    const send = () =>
      postForm(server, (form) => file(form, 'a.txt', 'a'), {
        'Idempotency-Key': 'k',
        Accept: 'application/json',
      });
    const first = await send();
    const again = await send();
    assert.equal(again.status, 201);
    assert.equal(again.text, first.text);
    assert.equal((await uploads(server)).length, 1);
    const other = await postForm(server, (form) => file(form, 'a.txt', 'b'), { 'Idempotency-Key': 'k' });
    assert.equal(other.status, 422);
  });
});
