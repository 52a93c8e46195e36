import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RawConnection } from '../../support/raw-connection.ts';
import { startTestFileServer, type TestSlot } from '../../support/test-file-server.ts';
import { DAY } from '../../support/test-services.ts';

const BODY = Array.from({ length: 1000 }, (_, i) => i % 10).join('');

async function start(t: TestContext) {
  const server = await startTestFileServer(t, { cacheTrustMs: 3_600_000 });
  const slot = await server.storeFile(BODY);
  const wire = await RawConnection.open(t, server.port);
  const request = (head = '', method = 'GET', version = '1.1') =>
    `${method} ${slot.getPath} HTTP/${version}\r\nHost: h\r\n${head}\r\n`;
  /** Sends a request and returns its answer. */
  const ask = async (text: string, isEnd: (answer: string) => boolean) => {
    wire.text = '';
    wire.send(text);
    while (!isEnd(wire.text)) await nextTurn();
    return wire.text;
  };
  const whole = (answer: string) => answer.endsWith(BODY);
  return { server, slot, wire, request, ask, whole };
}

const withoutDate = (answer: string) => answer.replace(/^Date: .*$/m, 'Date:');

describe('a small file that is requested again and again', () => {
  test('is answered with the same bytes as the first time', async (t) => {
    const { request, ask, whole } = await start(t);
    const first = await ask(request(), whole);
    assert.match(first, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(first, /^Keep-Alive: timeout=\d+\r$/m);
    for (let i = 0; i < 5; i += 1) assert.equal(withoutDate(await ask(request(), whole)), withoutDate(first));
  });

  test('is answered to pipelined requests in their order, whatever they ask for', async (t) => {
    const { server, wire, request } = await start(t);
    await server.get(`${(await server.storeFile('other')).getPath}`);
    const asked: [string, string][] = [
      [request(), BODY],
      [request('Range: bytes=0-3\r\n'), BODY.slice(0, 4)],
      [request(), BODY],
      [request('', 'HEAD'), ''],
      [request(), BODY],
      ['GET /files/unknown HTTP/1.1\r\nHost: h\r\n\r\n', ''],
      [request(), BODY],
    ];
    for (let round = 0; round < 3; round += 1) {
      wire.text = '';
      wire.send(asked.map(([text]) => text).join(''));
      const expected = asked.map(([, body]) => body);
      const bodies = () => wire.text.split(/HTTP\/1\.1 \d+ [\s\S]*?\r\n\r\n/).slice(1);
      while (bodies().length < asked.length || !wire.text.endsWith(BODY)) await nextTurn();
      assert.deepEqual(bodies(), expected);
      assert.deepEqual(
        wire.text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(-3)),
        ['200', '206', '200', '200', '200', '404', '200'],
      );
    }
  });

  test('obeys conditions and ranges', async (t) => {
    const { slot, request, ask, whole } = await start(t);
    for (let i = 0; i < 3; i += 1) await ask(request(), whole);
    const ends = (answer: string) => answer.includes('\r\n\r\n');
    const etag = `"${slot.id}"`;
    for (const [head, status] of [
      [`If-None-Match: ${etag}`, '304'],
      ['If-None-Match: *', '304'],
      ['If-Match: "other"', '412'],
      ['If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT', '412'],
      ['If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT', '304'],
      ['Range: bytes=5000-', '416'],
      ['rAnGe: bytes=0-0', '206'],
    ] as const)
      assert.match(await ask(request(`${head}\r\n`), ends), new RegExp(`^HTTP/1\\.1 ${status} `), head);
  });

  for (const [what, head, version] of [
    ['a client that asks for it', 'Connection: close\r\n', '1.1'],
    ['HTTP/1.0', '', '1.0'],
  ] as const) {
    test(`closes the connection of ${what}`, async (t) => {
      const { server, request, ask, whole } = await start(t);
      for (let i = 0; i < 3; i += 1) await ask(request(), whole);
      const other = await RawConnection.open(t, server.port);
      other.send(request(head, 'GET', version));
      const answer = await other.waitForClose();
      assert.match(answer, /^Connection: close\r$/m);
      assert.ok(answer.endsWith(BODY));
    });
  }

  test('has a max-age that ends with the file', async (t) => {
    const { server, request, ask, whole } = await start(t);
    for (let i = 0; i < 3; i += 1) await ask(request(), whole);
    server.advance(29 * DAY);
    assert.match(await ask(request(), whole), new RegExp(`max-age=${DAY / 1000}\r`));
    server.advance(2 * DAY);
    assert.match(await ask(request(), (answer) => answer.endsWith('\r\n\r\n')), /^HTTP\/1\.1 404 /);
  });

  test('is gone as soon as it is removed', async (t) => {
    const { server, slot, request, ask, whole } = await start(t);
    for (let i = 0; i < 3; i += 1) await ask(request(), whole);
    server.fileCache.invalidate(slot.id);
    await server.services.ledger.remove({
      ids: [slot.id],
      reason: 'deleted',
      detail: '',
      now: server.services.clock(),
    });
    assert.match(await ask(request(), (answer) => answer.endsWith('\r\n\r\n')), /^HTTP\/1\.1 404 /);
  });

  test('has new headers after a reload', async (t) => {
    const { server, request, ask, whole } = await start(t);
    for (let i = 0; i < 3; i += 1) await ask(request(), whole);
    server.changeSettings({ downloadHeaders: { 'X-New': 'yes' } });
    assert.match(await ask(request(), whole), /^X-New: yes\r$/m);
  });

  test('waits for a client that reads nothing, and is then complete', async (t) => {
    const { server, slot } = await start(t);
    const body = 'z'.repeat(60_000);
    const large: TestSlot = await server.storeFile(body);
    const wire = await RawConnection.open(t, server.port);
    wire.socket.pause();
    const count = 300;
    const text = `GET ${large.getPath} HTTP/1.1\r\nHost: h\r\n\r\n`;
    wire.send(text.repeat(count));
    // Another client is served meanwhile.
    assert.equal((await server.get(slot.getPath)).text, BODY);
    wire.socket.resume();
    const length = () => wire.text.length;
    while (length() < count * body.length || !wire.text.endsWith(body)) await nextTurn();
    assert.equal(wire.text.split(body).length - 1, count);
  });
});
