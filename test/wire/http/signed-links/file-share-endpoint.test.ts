import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eraseOwner } from '../../../../src/uploads/remove.ts';
import { RawConnection } from '../../../support/raw-connection.ts';
import { access, DAY, MINUTE } from '../../../support/test-services.ts';
import {
  type Claims,
  encodePath,
  JULIET,
  jwt,
  startTestSignedLinksServer,
} from '../../../support/test-signed-links-server.ts';

const BODY = 'x'.repeat(100);
const OTHER = `${'x'.repeat(99)}y`;
const SLOT = '-Dd5e3KUITZVu49MHw1-Xh5p';
const PATH = `${SLOT}/picture.jpg`;

describe("an upload with a token of Prosody's mod_http_file_share", () => {
  test('gets exactly 201, and its link works at once, in every form', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const reply = await server.putFileShare(
      `${SLOT}/Foto (1)+ü.jpg`,
      BODY,
      {},
      { 'Content-Type': 'image/jpeg' },
    );
    assert.equal(reply.status, 201);
    assert.equal(reply.text, '');
    for (const name of ['Foto%20(1)+%C3%BC.jpg', 'Foto%20%281%29%2b%c3%bc.jpg']) {
      const got = await server.request(`/file_share/${SLOT}/${name}`);
      assert.equal(got.status, 200);
      assert.equal(got.text, BODY);
      assert.equal(got.headers['content-type'], 'image/jpeg');
      assert.match(
        String(got.headers['content-disposition']),
        /filename\*=UTF-8''Foto%20%281%29%2B%C3%BC\.jpg$/,
      );
    }
  });

  test('is charged to the bare JID in the token', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putFileShare(PATH, BODY, { sub: 'Juliet@Example.org/garden' })).status, 201);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 100);
    assert.match(
      await server.services.metrics.registry.metrics(),
      /porter_uploaded_bytes_total\{endpoint="file_share"\} 100/,
    );
  });

  test('without a valid token syntax is 401 with a challenge', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const authorization of [undefined, '', 'Basic eDp5', 'Bearer', 'Bearer x', 'Bearer a.b.c']) {
      const credentials: Record<string, string> =
        authorization === undefined ? {} : { Authorization: authorization };
      const headers = { 'Content-Length': '100', ...credentials };
      const reply = await server.request(`/file_share/${PATH}`, { method: 'PUT', headers, body: BODY });
      assert.equal(reply.status, 401, String(authorization));
      assert.equal(reply.headers['www-authenticate'], 'Bearer');
      assert.match(reply.text, /^[^\n]+\n$/);
      assert.equal(reply.headers['access-control-allow-origin'], '*');
    }
  });

  test('that is invalid, for another link, or past its time is 403', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const put = (authorization: string, path = PATH) =>
      server.request(`/file_share/${path}`, {
        method: 'PUT',
        headers: { 'Content-Length': '100', Authorization: authorization },
        body: BODY,
      });
    const good = server.token(PATH, 100);
    const [header, payload, signature] = good.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const token of [
      `${none}.${payload}.${signature}`,
      `${header}.${payload}.${'A'.repeat(43)}`,
      server.token(PATH, 100, { slot: 'another' }),
      server.token(PATH, 100, { filename: 'another.jpg' }),
      server.token(PATH, 100, { sub: '@' }),
      server.token(PATH, 100, { exp: server.now() }),
      server.token(PATH, 100, { expires: server.now() }),
      jwt({ sub: JULIET, slot: SLOT, filename: 'picture.jpg', exp: server.now() + 9 }),
      jwt({}, 'another secret'),
    ]) {
      assert.equal((await put(`Bearer ${token}`)).status, 403, token);
    }
    for (const path of [
      SLOT,
      `${SLOT}/`,
      `${PATH}/`,
      `x/${PATH}`,
      `${SLOT}/../${PATH}`,
      `${SLOT}/picture%2Ejpg%00`,
    ]) {
      assert.equal((await put(`Bearer ${good}`, path)).status, 403, path);
    }
    assert.equal((await server.services.ledger.stats()).owners, 0);
    assert.equal((await put(`bearer ${good}`, `${SLOT}/picture%2ejpg`)).status, 201);
  });

  test('accepts every configured secret', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeFileShareSecrets(['new secret', 'secret string']);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 201);
    server.changeFileShareSecrets(['new secret']);
    assert.equal((await server.putFileShare(`${SLOT}/b.jpg`, BODY)).status, 403);
  });

  test('whose Content-Length is not the claimed size is 413 before a byte is read', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const length of [0, 99, 101]) {
      const wire = await RawConnection.open(t, server.port);
      wire.send(
        `PUT /file_share/${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\nAuthorization: Bearer ${server.token(PATH, 100)}\r\n\r\n`,
      );
      assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 413 /);
    }
    assert.equal((await server.putFileShare(PATH, BODY)).status, 201);
  });

  test('in chunks is stored if it has the claimed size, and is charged from the start', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const send = async (path: string, chunks: readonly string[]) => {
      const wire = await RawConnection.open(t, server.port);
      wire.send(
        `PUT /file_share/${path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer ${server.token(path, 100)}\r\n\r\n`,
      );
      for (const chunk of chunks) wire.send(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
      return wire;
    };
    const open = await send(PATH, [BODY.slice(0, 40)]);
    while ((await server.services.ledger.usage(JULIET)).pendingBytes === 0)
      await server.services.ledger.stats();
    assert.equal((await server.services.ledger.usage(JULIET)).pendingBytes, 100);
    open.send(`3c\r\n${BODY.slice(40)}\r\n0\r\n\r\n`);
    assert.match(await open.waitFor('\r\n\r\n'), /^HTTP\/1\.1 201 /);
    assert.equal((await server.request(`/file_share/${PATH}`)).text, BODY);

    const short = await send(`${SLOT}/short.jpg`, [BODY.slice(0, 99)]);
    short.send('0\r\n\r\n');
    assert.match(await short.waitFor('\r\n\r\n'), /^HTTP\/1\.1 413 /);
    const long = await send(`${SLOT}/long.jpg`, [BODY, 'x']);
    assert.match(await long.waitFor('\r\n\r\n'), /^HTTP\/1\.1 413 /, 'before its end');
    assert.equal((await server.request(`/file_share/${SLOT}/short.jpg`)).status, 404);
    assert.deepEqual(await server.services.ledger.usage(JULIET), {
      uploads: 1,
      bytes: 100,
      pendingUploads: 0,
      pendingBytes: 0,
    });
  });

  for (const [claimed, header, served] of [
    ['image/png', undefined, 'image/png'],
    ['image/png', '', 'image/png'],
    ['image/png', 'image/png; charset=utf-8', 'image/png'],
    ['text/plain; charset=utf-8', 'text/plain', 'text/plain; charset=utf-8'],
    ['application/octet-stream', 'image/png', 'application/octet-stream'],
    ['', 'image/png', 'application/octet-stream'],
    ['nonsense\r\nX: y', undefined, 'application/octet-stream'],
  ] as const) {
    test(`of the type ${JSON.stringify(claimed)}, sent as ${JSON.stringify(header)}, is served as ${served}`, async (t) => {
      const server = await startTestSignedLinksServer(t);
      const headers: Record<string, string> = header === undefined ? {} : { 'Content-Type': header };
      assert.equal((await server.putFileShare(PATH, BODY, { filetype: claimed }, headers)).status, 201);
      assert.equal((await server.request(`/file_share/${PATH}`)).headers['content-type'], served);
    });
  }

  test('of a type that contradicts the claimed one is 400, unless the config accepts it', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const png = { 'Content-Type': 'image/png' };
    assert.equal((await server.putFileShare(PATH, BODY, {}, png)).status, 400);
    server.setRules({ typeMismatch: 'accept' });
    assert.equal((await server.putFileShare(PATH, BODY, {}, png)).status, 201);
    assert.equal((await server.request(`/file_share/${PATH}`)).headers['content-type'], 'image/jpeg');
  });

  test('again with the same bytes is 201 until the token ends; other bytes are 409', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const claims: Claims = { exp: server.now() + 600 };
    assert.equal((await server.putFileShare(PATH, BODY, claims)).status, 201);
    assert.equal((await server.putFileShare(PATH, OTHER, claims)).status, 409);
    server.advance(10 * MINUTE - 1);
    assert.equal((await server.putFileShare(PATH, BODY, claims)).status, 201);
    server.advance(1);
    assert.equal((await server.putFileShare(PATH, BODY, claims)).status, 403);
    assert.equal((await server.services.ledger.usage(JULIET)).uploads, 1);
  });
});

describe('a user named by the token', () => {
  test('is refused with 403 if an access rule denies it', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const reply = await server.putFileShare(PATH, BODY, { sub: 'eve@elsewhere.net' });
    assert.equal(reply.status, 403);
    assert.match(reply.text, /eve@elsewhere\.net may not upload/);
    server.setRules({ access: access({ allowed_types: ['video/*'] }) });
    assert.equal((await server.putFileShare(PATH, BODY)).status, 403);
  });

  test('has quotas: 413 for one file, 507 for the total, with the time when room returns', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_file_size: 120, max_total_size: 150 }) });
    assert.equal((await server.putFileShare(`${SLOT}/a.jpg`, 'x'.repeat(121))).status, 413);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 201);
    const reply = await server.putFileShare(`${SLOT}/b.jpg`, BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /100 bytes of 150 bytes used/);
    assert.ok(Number(reply.headers['retry-after']) > 0);
    assert.equal((await server.services.ledger.usage(JULIET)).pendingBytes, 0);
  });

  test('has one quota for signed links and slots, and evicts the oldest file if the rule says evict', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_total_size: 250, when_full: 'evict' }) });
    await server.upload({ jid: JULIET });
    server.advance(1000);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 201);
    server.advance(1000);
    assert.equal((await server.putFileShare(`${SLOT}/b.jpg`, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 200);
    assert.equal((await server.request(`/file_share/${PATH}`)).status, 200);
  });

  test('can be erased with all links', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 201);
    assert.equal(await eraseOwner(server.services, JULIET), 1);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 403, 'removed');
    assert.equal((await server.request(`/file_share/${PATH}`)).status, 404);
  });
});

describe('the expiry time in a token', () => {
  test('removes the file, unless retention removes it earlier', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const [name, days] of [
      ['soon.jpg', 1],
      ['late.jpg', 60],
      ['never.jpg', undefined],
    ] as const) {
      const expires = days === undefined ? undefined : server.now() + (days * DAY) / 1000;
      assert.equal((await server.putFileShare(`${SLOT}/${name}`, BODY, { expires })).status, 201);
    }
    const ages = async () =>
      Promise.all(
        ['soon.jpg', 'late.jpg', 'never.jpg'].map(
          async (name) => (await server.request(`/file_share/${SLOT}/${name}`)).status,
        ),
      );
    assert.deepEqual(await ages(), [200, 200, 200]);
    server.advance(DAY);
    assert.deepEqual(await ages(), [404, 200, 200]);
    server.advance(29 * DAY);
    assert.deepEqual(await ages(), [404, 404, 404]);
  });

  test('leaves a tombstone: the link cannot be filled again with a new token', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putFileShare(PATH, BODY, { expires: server.now() + 60 })).status, 201);
    server.advance(MINUTE);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 403);
    const step = { kind: 'expires_at', limit: 10, now: server.services.clock() } as const;
    assert.equal((await server.services.ledger.sweep(step)).count, 1);
    server.advance(400 * DAY);
    assert.equal((await server.putFileShare(PATH, BODY)).status, 403);
    assert.equal((await server.request(`/file_share/${encodePath(PATH)}`)).status, 404);
  });
});

describe('methods at the endpoint for JWT links', () => {
  test('are those of a file share; DELETE is 405, because Prosody never sends it', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const options = await server.request(`/file_share/${PATH}`, { method: 'OPTIONS' });
    assert.equal(options.status, 200);
    assert.equal(options.headers.allow, 'OPTIONS, HEAD, GET, PUT');
    assert.match(String(options.headers['access-control-allow-headers']), /Authorization/);
    for (const method of ['DELETE', 'POST', 'PATCH']) {
      assert.equal((await server.request(`/file_share/${PATH}`, { method })).status, 405, method);
    }
    for (const path of ['', SLOT, PATH, `${SLOT}/%00`]) {
      const got = await server.request(`/file_share/${path}`);
      assert.equal(got.status, 404, path);
      assert.equal(got.headers['content-length'], '0');
    }
  });
});
