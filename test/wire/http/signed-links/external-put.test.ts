import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unlimited } from '../../../../src/ledger/contract/ledger.ts';
import { signedLocator } from '../../../../src/policy/signed-path.ts';
import { RawConnection } from '../../../support/raw-connection.ts';
import { access, MINUTE } from '../../../support/test-services.ts';
import {
  encodePath,
  signV,
  signV2,
  startTestSignedLinksServer,
  UUID,
} from '../../../support/test-signed-links-server.ts';
import { BODY, OTHER, PATH } from './sample-file.ts';

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
