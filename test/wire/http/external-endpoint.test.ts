import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { jidSha1, ownerFromSha1 } from '../../../src/base/owners.ts';
import { unlimited } from '../../../src/ledger/contract/ledger.ts';
import { signedLocator } from '../../../src/policy/signed-path.ts';
import { eraseOwner } from '../../../src/uploads/remove.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { access, DAY, MINUTE } from '../../support/test-services.ts';
import {
  ejabberdPath,
  encodePath,
  JULIET,
  signDelete,
  signV,
  signV2,
  startTestSignedLinksServer,
  UUID,
} from '../../support/test-signed-links-server.ts';

const BODY = 'x'.repeat(100);
const OTHER = `${'x'.repeat(99)}y`;
const PATH = `${UUID}/a.jpg`;

describe('an upload whose path and size are signed (v)', () => {
  test('gets exactly 201 with an empty body, and its link works at once, in every form', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const reply = await server.putV(`${UUID}/très cool (1)+.jpg`, BODY, { 'Content-Type': 'image/jpeg' });
    assert.equal(reply.status, 201);
    assert.equal(reply.text, '');
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    for (const name of [
      'tr%C3%A8s%20cool%20%281%29%2B.jpg',
      'tr%c3%a8s%20cool%20(1)+.jpg',
      Buffer.from('très%20cool%20(1)+.jpg').toString('latin1'),
    ]) {
      const got = await server.request(`/upload/${UUID}/${name}`);
      assert.equal(got.status, 200, name);
      assert.equal(got.text, BODY);
      assert.equal(got.headers['content-type'], 'image/jpeg');
      assert.match(
        String(got.headers['content-disposition']),
        /^inline; .*filename\*=UTF-8''tr%C3%A8s%20cool%20%281%29%2B\.jpg$/,
      );
    }
    const head = await server.request(`/upload/${encodePath(PATH)}?v=anything`, { method: 'HEAD' });
    assert.equal(head.status, 404);
  });

  test('is counted and logged with the endpoint external', async (t) => {
    const server = await startTestSignedLinksServer(t);
    await server.putV(PATH, BODY);
    const metrics = await server.services.metrics.registry.metrics();
    assert.match(metrics, /porter_uploaded_bytes_total\{endpoint="external"\} 100/);
  });

  test('is served with the type that the config names for its extension', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ types: { xyz: 'chemical/x-xyz' } });
    for (const [name, served] of [
      ['a.xyz', 'chemical/x-xyz'],
      ['IMG_1.HEIC', 'image/heic'],
      ['game.xdc', 'application/webxdc+zip'],
    ] as const) {
      assert.equal((await server.putV(`${UUID}/${name}`, BODY)).status, 201);
      const got = await server.request(`/upload/${UUID}/${name}`);
      assert.equal(got.headers['content-type'], served);
    }
  });

  test('is served with the type of the PUT, else with the usual type for its name', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const [name, type, served] of [
      ['a.jpg', 'image/webp', 'image/webp'],
      ['b.jpg', undefined, 'image/jpeg'],
      ['c.jpg', '', 'image/jpeg'],
      ['d', undefined, 'application/octet-stream'],
      ['e.jpg', 'nonsense', 'application/octet-stream'],
      ['f', 'text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
    ] as const) {
      const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type };
      assert.equal((await server.putV(`${UUID}/${name}`, BODY, headers)).status, 201, name);
      assert.equal((await server.request(`/upload/${UUID}/${name}`)).headers['content-type'], served, name);
    }
  });

  test('with no signature, or a wrong one, is 403 and stores nothing', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const url = `/upload/${PATH}`;
    const good = signV(PATH, 100);
    for (const target of [
      url,
      `${url}?`,
      `${url}?v=`,
      `${url}?v=${good.slice(1)}`,
      `${url}?v=${signV(PATH, 101)}`,
      `${url}?v=${signV(`${PATH}x`, 100)}`,
      `${url}?v=${signV(PATH, 100, 'another secret')}`,
      `${url}?v=${'0'.repeat(64)}&v=${good}`,
      `${url}?v2=&v=${good}`,
      `${url}?token=${good}`,
      `/upload/other/a.jpg?v=${good}`,
    ]) {
      const reply = await server.request(target, {
        method: 'PUT',
        headers: { 'Content-Length': '100' },
        body: BODY,
      });
      assert.equal(reply.status, 403, target);
      assert.match(reply.text, /^[^\n]+\n$/);
      assert.equal(reply.headers['access-control-allow-origin'], '*');
    }
    assert.equal((await server.services.ledger.stats()).owners, 0);
    const metrics = await server.services.metrics.registry.metrics();
    assert.match(metrics, /porter_refusals_total\{endpoint="external",reason="signature_wrong"\} 11/);
  });

  test('accepts upper-case signatures and every configured secret', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ secrets: ['new secret', 'secret string'] });
    const put = (path: string, mac: string) =>
      server.request(`/upload/${path}?v=${mac}`, {
        method: 'PUT',
        headers: { 'Content-Length': '100' },
        body: BODY,
      });
    assert.equal((await put(PATH, signV(PATH, 100).toUpperCase())).status, 201);
    assert.equal((await put(`${UUID}/b`, signV(`${UUID}/b`, 100, 'new secret'))).status, 201);
    assert.equal((await put(`${UUID}/c`, signV(`${UUID}/c`, 100, 'old secret'))).status, 403);
  });

  test('whose Content-Length is not the signed one is 403 before a byte is read; without one it is 411', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const target = `/upload/${PATH}?v=${signV(PATH, 100)}`;
    for (const [header, status] of [
      ['Content-Length: 99', 403],
      ['Content-Length: 101', 403],
      ['Transfer-Encoding: chunked', 411],
    ] as const) {
      const wire = await RawConnection.open(t, server.port);
      wire.send(`PUT ${target} HTTP/1.1\r\nHost: h\r\n${header}\r\n\r\n`);
      assert.match(await wire.waitFor('\r\n\r\n'), new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    assert.equal((await server.putV(PATH, BODY)).status, 201);
  });

  test('gets 100 Continue only after all checks have passed', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const ask = async (mac: string) => {
      const wire = await RawConnection.open(t, server.port);
      wire.send(
        `PUT /upload/${PATH}?v=${mac} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`,
      );
      return wire;
    };
    assert.match(await (await ask(signV(PATH, 99))).waitFor('\r\n\r\n'), /^HTTP\/1\.1 403 /);
    const wire = await ask(signV(PATH, 100));
    assert.equal(await wire.waitFor('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    wire.send(BODY);
    assert.match(await wire.waitFor('201'), /HTTP\/1\.1 201 Created/);
    assert.match(
      await (await ask(signV(PATH, 100))).waitFor('\r\n\r\n'),
      /^HTTP\/1\.1 100 /,
      'it may be the same bytes',
    );
  });

  test('again with the same bytes is 201 for ten minutes, then 409; other bytes are 409', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    assert.equal((await server.putV(PATH, OTHER)).status, 409);
    server.advance(10 * MINUTE - 1);
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    server.advance(1);
    assert.equal((await server.putV(PATH, BODY)).status, 409);
    assert.equal((await server.putV(PATH, `${BODY}x`)).status, 409, 'signed for another size');
    assert.equal((await server.request(`/upload/${PATH}`)).text, BODY);
    assert.equal((await server.services.ledger.stats()).uploads, 1);
  });

  test('that is interrupted leaves nothing, returns its charge and can be tried again', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const wire = await RawConnection.open(t, server.port);
    wire.send(
      `PUT /upload/${PATH}?v=${signV(PATH, 100)} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nxxx`,
    );
    while ((await server.services.ledger.stats()).pendingUploads === 0) await server.services.ledger.stats();
    wire.reset();
    while ((await server.services.ledger.stats()).pendingUploads > 0) await server.services.ledger.stats();
    assert.equal((await server.request(`/upload/${PATH}`)).status, 404);
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    const { pendingBytes, bytes } = await server.services.ledger.stats();
    assert.deepEqual({ pendingBytes, bytes }, { pendingBytes: 0, bytes: 100 });
  });

  test('of two at once exactly one gets 201', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const replies = await Promise.all([BODY, OTHER, BODY, OTHER].map((body) => server.putV(PATH, body)));
    const stored = (await server.request(`/upload/${PATH}`)).text;
    const winners = replies.filter(({ status }) => status === 201).length;
    assert.ok(winners >= 1 && winners <= 2, 'the same bytes again may come after it');
    assert.ok(replies.every(({ status }) => status === 201 || status === 409));
    assert.equal((await server.putV(PATH, stored)).status, 201);
    assert.equal((await server.putV(PATH, stored === BODY ? OTHER : BODY)).status, 409);
  });

  for (const [wait, after] of [
    [1, 'a minute later'],
    [11, 'when its time is up'],
  ] as const) {
    test(`whose process died can be tried again ${after}, and not before`, async (t) => {
      const server = await startTestSignedLinksServer(t);
      const { ledger, clock } = server.services;
      const id = '0'.repeat(26);
      const locator = signedLocator('external', { bytes: Buffer.from(PATH) });
      const file = { name: 'a.jpg', type: 'image/jpeg', size: 100, blob: `00/${id}.jpg`, purpose: '' };
      const terms = {
        owner: 'external',
        endpoint: 'external',
        deadline: clock() + 10 * MINUTE,
        expiresAt: null,
      } as const;
      const reserved = await ledger.reserve({
        upload: { id, locator, ...file, ...terms },
        putKey: null,
        limits: unlimited,
        evict: false,
        lifetimes: {},
        now: clock(),
        claim: { instance: 'a process that is no more', token: 'its claim' },
      });
      assert.deepEqual(reserved, { granted: true });
      assert.equal((await server.putV(PATH, BODY)).status, 409);
      server.advance(wait * MINUTE);
      assert.equal((await server.putV(PATH, BODY)).status, 201);
      assert.equal((await server.request(`/upload/${PATH}`)).text, BODY);
      assert.equal((await ledger.stats()).pendingUploads, 0);
    });
  }

  test('larger than external.max_file_size is 413, whatever was signed', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ maxFileSize: 99 });
    const reply = await server.putV(PATH, BODY);
    assert.equal(reply.status, 413);
    assert.match(reply.text, /maximum file size is 99 bytes/);
  });

  test('over the global quota is 507 with the time when room returns', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ globalQuota: 150 });
    assert.equal((await server.putV(PATH, BODY)).status, 201);
    const reply = await server.putV(`${UUID}/b`, BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /service is full/);
    assert.ok(Number(reply.headers['retry-after']) > 0);
    assert.equal((await server.services.ledger.stats()).pendingBytes, 0);
  });

  test('by a server that names no user is charged to the owner external, without limits per user', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({
      access: access({ jid: ['.*'], max_total_size: 100 }),
      retention: { ...server.services.rules().retention, purposes: { message: { max_total_size: 100 } } },
    });
    for (const name of ['a', 'b', 'c'])
      assert.equal((await server.putV(`${UUID}/${name}`, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage('external')).bytes, 300);
  });
});

describe('an upload whose type is signed too', () => {
  const put = (
    server: Awaited<ReturnType<typeof startTestSignedLinksServer>>,
    query: string,
    headers: Record<string, string> = {},
  ) =>
    server.request(`/upload/${PATH}?${query}`, {
      method: 'PUT',
      headers: { 'Content-Length': '100', ...headers },
      body: BODY,
    });

  for (const scheme of ['v2', 'token']) {
    for (const [signed, header, served] of [
      ['image/jpeg', 'image/jpeg', 'image/jpeg'],
      ['image/jpeg', 'image/jpeg; q=1', 'image/jpeg'],
      ['text/plain; charset=utf-8', 'text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
      ['application/octet-stream', undefined, 'application/octet-stream'],
      ['application/octet-stream', 'image/png', 'application/octet-stream'],
      ['image/jpeg', undefined, 'image/jpeg'],
      ['image/jpeg', '', 'image/jpeg'],
      ['', undefined, 'image/jpeg'],
      ['', 'image/png', 'image/png'],
    ] as const) {
      test(`by ${scheme}: signed ${JSON.stringify(signed)}, sent as ${JSON.stringify(header)}, is served as ${served}`, async (t) => {
        const server = await startTestSignedLinksServer(t);
        const headers: Record<string, string> = header === undefined ? {} : { 'Content-Type': header };
        assert.equal((await put(server, `${scheme}=${signV2(PATH, 100, signed)}`, headers)).status, 201);
        assert.equal((await server.request(`/upload/${PATH}`)).headers['content-type'], served);
      });
    }
  }

  test('and differs from the type of the PUT, is 403, unless the config accepts it', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const query = `v2=${signV2(PATH, 100, 'image/jpeg')}`;
    assert.equal((await put(server, query, { 'Content-Type': 'image/png' })).status, 403);
    assert.equal(
      (await put(server, `v2=${signV2(PATH, 100, 'video/mp4')}`, { 'Content-Type': 'image/png' })).status,
      403,
    );
    server.setRules({ typeMismatch: 'accept' });
    assert.equal((await put(server, query, { 'Content-Type': 'image/png' })).status, 201);
    assert.equal((await server.request(`/upload/${PATH}`)).headers['content-type'], 'image/jpeg');
  });

  test('is checked only by the strongest of several signatures', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const [v, v2] = [signV(PATH, 100), signV2(PATH, 100, 'image/jpeg')];
    assert.equal((await put(server, `v=${v}&v2=${'0'.repeat(64)}`)).status, 403);
    assert.equal((await put(server, `v2=${v}&v=${v}`)).status, 403);
    assert.equal((await put(server, `v=${'0'.repeat(64)}&v2=${v2}`)).status, 201);
  });

  test('and is longer than 255 characters, is 400', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const type = `text/${'x'.repeat(251)}`;
    assert.equal((await put(server, `v2=${signV2(PATH, 100, type)}`, { 'Content-Type': type })).status, 400);
  });
});

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

describe("ejabberd's links, which begin with the hash of a JID", () => {
  const path = ejabberdPath(JULIET, 'a.jpg');

  test('are charged to the hash while the JID is unknown', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage(ownerFromSha1(jidSha1(JULIET)))).bytes, 100);
  });

  test('limit each such user to external.max_total_size', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ maxTotalSize: 150 });
    assert.equal((await server.putV(path, BODY)).status, 201);
    const reply = await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /storage is full/);
    assert.equal((await server.putV(ejabberdPath('romeo@example.org', 'b.jpg'), BODY)).status, 201);
  });

  test('limit each such user to external.max_files', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ maxFiles: 1 });
    assert.equal((await server.putV(path, BODY)).status, 201);
    const reply = await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /You have 1 of 1 file,/);
    assert.equal((await server.putV(ejabberdPath('romeo@example.org', 'b.jpg'), BODY)).status, 201);
  });

  test('use the rule and quota of a JID that has a slot or file', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_total_size: 250, max_file_size: 150 }) });
    await server.upload({ jid: JULIET });
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 200);
    assert.equal((await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY)).status, 507);
    assert.equal((await server.putV(ejabberdPath(JULIET, 'c.jpg'), 'x'.repeat(151))).status, 413);
  });

  test('of a user with a rule carry no larger file than external.max_file_size', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_file_size: 150 }) });
    await server.upload({ jid: JULIET });
    server.changeExternal({ maxFileSize: 120 });
    const reply = await server.putV(path, 'x'.repeat(121));
    assert.equal(reply.status, 413);
    assert.match(reply.text, /maximum file size is 120 bytes/);
    assert.equal((await server.putV(path, 'x'.repeat(120))).status, 201);
  });

  test('use the rule of a JID that the config names', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({
      access: access({ jid: ['^juliet@example\\.org$'], deny: true }),
      jidsBySha1: new Map([[jidSha1(JULIET), JULIET]]),
    });
    const reply = await server.putV(path, BODY);
    assert.equal(reply.status, 403);
    assert.match(reply.text, /juliet@example\.org may not upload/);
  });

  test('keep their charge when the JID becomes known later', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    server.setRules({ access: access({ max_total_size: 150 }) });
    await assert.rejects(server.upload({ jid: JULIET }), /100 bytes of 150 bytes used/);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 100);
  });

  test('are removed with the data of the JID, known or not', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal(await eraseOwner(server.services, JULIET), 1);
    assert.equal((await server.putV(path, BODY)).status, 409);
    assert.equal((await server.services.ledger.stats()).owners, 0);
  });

  test('with a local part in front (jid_in_url: node) belong to the owner external', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV('juliet/A1b2/a.jpg', BODY)).status, 201);
    assert.equal((await server.services.ledger.usage('external')).uploads, 1);
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

describe('hostile paths at the endpoint for HMAC links', () => {
  /** Each path is signed in its decoded form, so that only its form can cause the refusal. */
  const paths: readonly [raw: string, decoded: string, status: number][] = [
    ['..%2f..%2fetc%2fpasswd', '../../etc/passwd', 400],
    ['u/a%00.jpg', 'u/a\0.jpg', 400],
    ['u/a%0a.jpg', 'u/a\n.jpg', 400],
    ['u/a%0D%0AX-Evil:%20y', 'u/a\r\nX-Evil: y', 400],
    ['u/a%7f', 'u/a\x7f', 400],
    ['u/a%2', 'u/a%2', 400],
    [`u/${'x'.repeat(4095)}`, `u/${'x'.repeat(4095)}`, 413],
    // A long name is shortened, not refused.
    [`u/${'x'.repeat(256)}`, `u/${'x'.repeat(256)}`, 201],
    [`u/${'%E6%97%A5'.repeat(86)}`, `u/${'日'.repeat(86)}`, 201],
    ['', '', 400],
    ['../../../../etc/passwd', '../../../../etc/passwd', 201],
    ['%2e%2e/%2e%2e/etc/shadow', '../../etc/shadow', 201],
    ['u/..', 'u/..', 201],
    ['u/.', 'u/.', 201],
    ['u/', 'u/', 201],
    ['//etc/passwd', '//etc/passwd', 201],
    ['C:%5Cwindows%5Cwin.ini', 'C:\\windows\\win.ini', 201],
    ['u/%22%3B%20filename=%22x.exe', 'u/"; filename="x.exe', 201],
    ['u/%3Cscript%3E.html', 'u/<script>.html', 201],
  ];

  test('are refused or stored under a generated key: nothing is written outside the blob folder', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const [raw, decoded, status] of paths) {
      const wire = await RawConnection.open(t, server.port);
      wire.send(
        `PUT /upload/${raw}?v=${signV(decoded, 1)} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`,
      );
      assert.match(await wire.waitForClose(), new RegExp(`^HTTP/1\\.1 ${status} `), raw);
      wire.reset();
      const seen = await RawConnection.open(t, server.port);
      seen.send(`GET /upload/${raw} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      const answer = await seen.waitForClose();
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status === 201 ? 200 : 404} `), raw);
      assert.doesNotMatch(answer, /^X-Evil/m);
    }
    for await (const { key } of server.services.blobs.list())
      assert.match(key, /^[0-9a-z]{2}\/[0-9a-z]{38}\.[a-z]+$/);
    const kept = paths.filter(([, , status]) => status === 201).length;
    assert.equal((await server.services.ledger.stats()).uploads, kept);
    for (const path of await readdir(server.folder, { recursive: true })) {
      assert.match(
        path,
        /^(?:porter\.db(?:-wal|-shm|-machine)?|blobs(?:\/[^/]{1,20})?(?:\/[0-9a-z]{38}\.[a-z]+)?)$/,
      );
    }
  });

  test('get a harmless name in Content-Disposition', async (t) => {
    const server = await startTestSignedLinksServer(t);
    for (const [path, shown] of [
      ['u/..', 'file'],
      ['u/', 'file'],
      ['u/"; filename="x.exe', '_; filename=_x.exe'],
    ] as const) {
      const target = `/upload/${path.split('/').map(encodeURIComponent).join('/')}`;
      const wire = await RawConnection.open(t, server.port);
      wire.send(
        `PUT ${target}?v=${signV(path, 1)} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`,
      );
      assert.match(await wire.waitForClose(), /^HTTP\/1\.1 201 /);
      const seen = await RawConnection.open(t, server.port);
      seen.send(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      assert.ok((await seen.waitForClose()).includes(`filename="${shown}"`), path);
    }
  });
});
