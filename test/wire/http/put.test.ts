import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestSlot } from '../../support/test-file-server.ts';
import { MINUTE } from '../../support/test-services.ts';

const BODY = 'x'.repeat(100);
const OTHER = `${'x'.repeat(99)}y`;

function head(slot: TestSlot, more = '', length = slot.size): string {
  return `PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

describe('an upload', () => {
  test('gets exactly 201 with an empty body, and its link works at once', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const reply = await server.put(slot, BODY, { 'Content-Type': 'image/jpeg' });
    assert.equal(reply.status, 201);
    assert.equal(reply.text, '');
    assert.equal(reply.headers['content-length'], '0');
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('is counted and logged without its token', async (t) => {
    const server = await startTestFileServer(t);
    await server.put(await server.grantSlot(), BODY);
    const metrics = await server.services.metrics.registry.metrics();
    assert.match(metrics, /porter_uploaded_bytes_total\{endpoint="component"\} 100/);
  });

  test('with an unknown or expired token is 403', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    for (const putPath of [
      '/put/',
      '/put/x',
      `/put/${'0'.repeat(26)}/a.jpg`,
      `/put/${slot.id}/a.jpg`,
      '/put/%00',
    ]) {
      const reply = await server.put({ ...slot, putPath }, BODY);
      assert.equal(reply.status, 403, putPath);
      assert.match(reply.text, /^[^\n]+\n$/, 'one line that a person can read');
    }
    server.advance(6 * MINUTE);
    assert.equal((await server.put(slot, BODY)).status, 403);
  });

  test('is found by its token, whatever name follows in the path', async (t) => {
    const server = await startTestFileServer(t);
    for (const name of ['', '/', '/other.png', '/t%C3%A9st%28a%29.jpg', '/a.jpg?x=1']) {
      const slot = await server.grantSlot();
      const putPath = `/put/${slot.token}${name}`;
      assert.equal((await server.put({ ...slot, putPath }, BODY)).status, 201, putPath);
    }
  });

  test("whose Content-Length is not the slot's is 400, before a byte is read, and can be tried again", async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    for (const length of [99, 101, 5_000_000_000]) {
      const wire = await RawConnection.open(t, server.port);
      wire.send(head(slot, '', length));
      assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 400 /);
    }
    assert.equal((await server.put(slot, BODY)).status, 201);
  });

  test('without a Content-Length is 411', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(`PUT ${slot.putPath} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`);
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 411 /);
  });

  test('with Content-Range is 400, because partial uploads are not supported', async (t) => {
    const server = await startTestFileServer(t);
    const reply = await server.put(await server.grantSlot(), BODY, { 'Content-Range': 'bytes 0-99/1000' });
    assert.equal(reply.status, 400);
  });

  test("of a type that contradicts the slot's is 400, unless the config accepts it", async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const reply = await server.put(slot, BODY, { 'Content-Type': 'text/html' });
    assert.equal(reply.status, 400);
    assert.match(reply.text, /text\/html.*image\/jpeg/);
    server.setRules({ typeMismatch: 'accept' });
    assert.equal((await server.put(slot, BODY, { 'Content-Type': 'text/html' })).status, 201);
    assert.equal((await server.get(slot.getPath)).headers['content-type'], 'image/jpeg');
  });

  test("without a type, with an empty or a parametrised one, is fine: the slot's is served", async (t) => {
    const server = await startTestFileServer(t);
    for (const type of [undefined, '', 'image/jpeg', 'IMAGE/JPEG; charset=utf-8', ' image/jpeg ;x=y']) {
      const slot = await server.grantSlot();
      const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type };
      assert.equal((await server.put(slot, BODY, headers)).status, 201, `type ${type}`);
      assert.equal((await server.get(slot.getPath)).headers['content-type'], 'image/jpeg');
    }
  });

  test('repeated with the same bytes, as after a lost 201, is 201 until the deadline of the slot', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    for (let attempt = 0; attempt < 3; attempt += 1) assert.equal((await server.put(slot, BODY)).status, 201);
    server.advance(6 * MINUTE);
    assert.equal((await server.put(slot, BODY)).status, 409);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('repeated with other bytes or another length is 409, and the first stays', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, BODY)).status, 201);
    assert.equal((await server.put(slot, OTHER)).status, 409);
    assert.equal((await server.put(slot, `${BODY}x`)).status, 409);
    assert.equal((await server.get(slot.getPath)).text, BODY);
  });

  test('again of a large file is compared as it flows: 409 comes at the first other byte', async (t) => {
    const server = await startTestFileServer(t);
    const whole = Buffer.alloc(8_000_000, 'abcdefg');
    const slot = await server.storeFile(whole);
    assert.equal((await server.put(slot, whole)).status, 201);
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot));
    wire.send(Buffer.concat([whole.subarray(0, 3_000_000), Buffer.from('!'), whole.subarray(0, 2_000_000)]));
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 409 /);
  });

  test('of a file that was deleted or has expired is 403: the link is not filled again', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.storeFile(BODY);
    await server.services.ledger.remove({
      ids: [slot.id],
      reason: 'deleted',
      detail: '',
      now: server.services.clock(),
    });
    assert.equal((await server.put(slot, BODY)).status, 403);
    const short = await server.storeFile(BODY, { expiresAt: server.services.clock() + MINUTE });
    server.advance(2 * MINUTE);
    assert.equal((await server.put(short, BODY)).status, 403);
  });

  test('with Expect: 100-continue is accepted only after all checks', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot, 'Expect: 100-continue\r\n'));
    assert.equal(await wire.waitFor('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    wire.send(BODY);
    assert.match(await wire.waitFor('Content-Length: 0'), /HTTP\/1\.1 201 Created/);
  });

  test('with Expect: 100-continue that is refused never hears 100', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot();
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot, 'Expect: 100-continue\r\n', 101));
    assert.match(await wire.waitFor('\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });

  test('that is refused lets the client read the answer while it still sends', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: 20_000_000 });
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot, 'Content-Type: text/html\r\n'));
    const part = Buffer.alloc(1_000_000);
    for (let sent = 0; sent < 20; sent += 1) {
      await new Promise((resolve) => wire.socket.write(part, resolve));
    }
    const text = await wire.waitForClose();
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.match(text, /Connection: close/);
    assert.match(text, /Access-Control-Allow-Origin: \*/);
    assert.match(text, /the slot was requested for image\/jpeg/);
  });

  test('can be followed by another on the same connection', async (t) => {
    const server = await startTestFileServer(t);
    const wire = await RawConnection.open(t, server.port);
    for (let round = 1; round <= 3; round += 1) {
      wire.send(head(await server.grantSlot()) + BODY);
      await wire.waitFor(new RegExp(`^(HTTP/1.1 201[^]*?\r\n\r\n){${round}}$`));
    }
  });

  test('byte by byte succeeds', async (t) => {
    const server = await startTestFileServer(t);
    const slot = await server.grantSlot({ size: 20 });
    const wire = await RawConnection.open(t, server.port);
    wire.send(head(slot));
    for (let byte = 0; byte < 20; byte += 1) {
      wire.send('z');
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await wire.waitFor('201 Created');
    assert.equal((await server.get(slot.getPath)).text, 'z'.repeat(20));
  });

  test('of many megabytes is stored byte for byte', async (t) => {
    const server = await startTestFileServer(t);
    const whole = Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => (at * 31 + (at >> 8)) & 255));
    const body = Buffer.concat(Array.from({ length: 12 }, () => whole));
    const slot = await server.storeFile(body);
    assert.ok((await server.get(slot.getPath)).body.equals(body));
  });

  test('among hundreds is stored byte for byte, although all wait for slots of the memory budget', async (t) => {
    const server = await startTestFileServer(t);
    server.setRules({ globalQuota: null });
    const bodies = Array.from({ length: 300 }, (_, at) => Buffer.alloc(200_000 + at, `${at},`));
    const slots = await Promise.all(bodies.map((body) => server.grantSlot({ size: body.length })));
    const wires = await Promise.all(slots.map(() => RawConnection.open(t, server.port)));
    for (const [at, wire] of wires.entries()) wire.send(head(slots[at] as TestSlot));
    for (const [at, wire] of wires.entries()) wire.send(bodies[at] as Buffer);
    await Promise.all(wires.map((wire) => wire.waitFor('201 Created')));
    for (const [at, slot] of slots.entries()) {
      assert.ok((await server.get(slot.getPath)).body.equals(bodies[at] as Buffer), `upload ${at}`);
    }
  });
});

describe('errors of an upload', () => {
  test('are problem+json if the client accepts JSON', async (t) => {
    const server = await startTestFileServer(t);
    const reply = await server.put(await server.grantSlot(), BODY, {
      'Content-Type': 'text/html',
      Accept: 'application/problem+json',
    });
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    const problem = JSON.parse(reply.text);
    assert.equal(problem.status, 400);
    assert.equal(problem.code, 'type_mismatch');
    assert.equal(problem.title, 'Bad Request');
    assert.equal(typeof problem.detail, 'string');
  });

  test('carry CORS headers, so that a web client can read them', async (t) => {
    const server = await startTestFileServer(t);
    const { headers } = await server.put({ ...(await server.grantSlot()), putPath: '/put/x' }, BODY);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, PUT');
    assert.equal(headers['access-control-allow-headers'], 'Authorization, Content-Type, Range');
    assert.equal(
      headers['access-control-expose-headers'],
      'Content-Length, Content-Range, Content-Disposition',
    );
  });

  test('of other methods are 405 with Allow', async (t) => {
    const server = await startTestFileServer(t);
    const { putPath } = await server.grantSlot();
    for (const method of ['POST', 'DELETE', 'PATCH', 'PROPFIND']) {
      const reply = await server.get(putPath, {}, method);
      assert.equal(reply.status, 405, method);
      assert.equal(reply.headers.allow, 'OPTIONS, PUT');
    }
    const get = await server.get(putPath);
    assert.deepEqual([get.status, get.text, get.headers['content-length']], [405, '', '0']);
  });
});

describe('a preflight', () => {
  test('needs no authorisation and allows what clients send', async (t) => {
    const server = await startTestFileServer(t);
    for (const path of [`/put/${'0'.repeat(26)}/a.jpg`, `/files/${'0'.repeat(26)}/a.jpg`]) {
      const { status, headers, text } = await server.get(path, { Origin: 'https://chat.example' }, 'OPTIONS');
      assert.equal(status, 200);
      assert.equal(text, '');
      assert.equal(headers['content-length'], '0');
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.equal(headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, PUT');
      assert.equal(headers['access-control-allow-headers'], 'Authorization, Content-Type, Range');
      assert.equal(headers['access-control-max-age'], '86400');
      assert.match(headers.allow ?? '', /^OPTIONS, /);
    }
  });
});
