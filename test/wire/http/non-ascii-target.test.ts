import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { createLog } from '../../../src/base/log.ts';
import { getClientInfo } from '../../../src/http/common/client-info.ts';
import { HttpServer, type HttpServerSettings } from '../../../src/http/listener/http-server.ts';
import { encodeRequestTarget } from '../../../src/http/listener/non-ascii-target.ts';
import { RawConnection } from '../../support/raw-connection.ts';
import { readTestBody } from '../../support/read-test-body.ts';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';

const log = createLog({ level: 'silent', format: 'json' });

/** Answers with method, target, body length, address and protocol of the request. */
async function start(t: TestContext, settings: Partial<HttpServerSettings> = {}) {
  const server = new HttpServer(
    {
      log,
      dataPlane: { owns: () => false, handle: () => undefined, handleContinue: () => undefined },
      route(request, response) {
        const { address, protocol } = getClientInfo(request, () => false);
        void readTestBody(request).then(
          ({ length }) => response.end(`${request.method} ${request.url} ${length} ${address} ${protocol}\n`),
          () => undefined,
        );
      },
    },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [], ...settings },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  const [address] = server.addresses;
  return { server, port: address && 'port' in address ? address.port : 0 };
}

const bytes = (text: string) => Buffer.from(text);
const ENCODED = '/upload/u/tr%C3%A8s_cool.jpg?v=1';
const head = (method: string, more = '', target = '/upload/u/très_cool.jpg?v=1') =>
  `${method} ${target} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;

describe('a request whose target has raw UTF-8', () => {
  test('is accepted, the connection is closed afterwards, and the client address is kept', async (t) => {
    const { port } = await start(t);
    const wire = await RawConnection.open(t, port);
    wire.send(bytes(head('GET')));
    const answer = await wire.waitForClose();
    assert.match(answer, /^HTTP\/1\.1 200 OK/);
    assert.match(answer, /Connection: close/i);
    assert.ok(answer.includes(`GET ${ENCODED} 0 127.0.0.1 http\n`), answer);
  });

  test('may have a body, wherever the network splits it', async (t) => {
    const { port } = await start(t);
    for (const size of [0, 5, 100_000, 3_000_000]) {
      const wire = await RawConnection.open(t, port);
      wire.send(
        Buffer.concat([bytes(head('PUT', `Content-Length: ${size}\r\n`)), Buffer.alloc(Math.min(size, 3))]),
      );
      if (size > 3) wire.send(Buffer.alloc(size - 3));
      assert.ok((await wire.waitForClose()).includes(`PUT ${ENCODED} ${size} `), `${size} bytes`);
    }
  });

  test('may follow another on the same connection', async (t) => {
    const { port } = await start(t);
    const wire = await RawConnection.open(t, port);
    wire.send('GET /first HTTP/1.1\r\nHost: h\r\n\r\n');
    await wire.waitFor('GET /first');
    wire.send(bytes(head('GET')));
    assert.ok((await wire.waitForClose()).includes(`GET ${ENCODED} 0 `));
  });

  test('is never taken from the body of the request before', async (t) => {
    const { port } = await start(t);
    const wire = await RawConnection.open(t, port);
    const inBody = bytes(head('GET', '', '/inside-the-body/é'));
    wire.send(`POST /outer HTTP/1.1\r\nHost: h\r\nContent-Length: ${inBody.length}\r\n\r\n`);
    // The body and the next request arrive in one packet, which begins like a request.
    wire.send(Buffer.concat([inBody, bytes(head('GET'))]));
    assert.doesNotMatch(await wire.waitForClose(), /inside-the-body/);
  });

  test('may wait for 100 Continue', async (t) => {
    const { port } = await start(t);
    const wire = await RawConnection.open(t, port);
    wire.send(bytes(head('PUT', 'Content-Length: 5\r\nExpect: 100-continue\r\n')));
    await wire.waitFor('100 Continue\r\n\r\n');
    wire.send('12345');
    assert.ok((await wire.waitForClose()).includes(`PUT ${ENCODED} 5 `));
  });

  test('is accepted over TLS too', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-raw-'));
    t.after(() => rm(folder, { recursive: true }));
    const { cert, key } = createSelfSigned(['localhost']);
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await Promise.all([writeFile(tls.cert, cert), writeFile(tls.key, key)]);
    const { port } = await start(t, { tls });
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: cert }, () => {
        socket.write(bytes(`${head('PUT', 'Content-Length: 5\r\n')}12`));
        socket.write('345');
      });
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject);
      socket.on('end', () => resolve(text));
    });
    assert.ok(answer.includes(`PUT ${ENCODED} 5 127.0.0.1 https`), answer);
  });

  test('with a slow body is not limited by the headers timeout, and completes during a stop', async (t) => {
    const { server, port } = await start(t, { headersTimeoutMs: 100 });
    const wire = await RawConnection.open(t, port);
    wire.send(bytes(`${head('PUT', 'Content-Length: 10\r\n')}12345`));
    // Two intervals of the headers timeout check.
    const quiet = await RawConnection.open(t, port);
    quiet.send('GET / HT');
    await quiet.waitForClose();
    const second = await RawConnection.open(t, port);
    second.send('GET / HT');
    await second.waitForClose();
    const stopped = server.stop({ graceMs: 10_000 });
    wire.send('67890');
    assert.ok((await wire.waitForClose()).includes(`PUT ${ENCODED} 10 `));
    await stopped;
  });

  test('that is interrupted leaves nothing', async (t) => {
    const { server, port } = await start(t);
    const wire = await RawConnection.open(t, port);
    wire.send(bytes(`${head('PUT', 'Content-Length: 10\r\n')}12345`));
    const other = await RawConnection.open(t, port);
    other.send(bytes(head('GET')));
    await other.waitForClose();
    wire.reset();
    await server.stop({ graceMs: 60_000 });
  });

  test('is 400 if it has another error', async (t) => {
    const { port } = await start(t);
    for (const text of [
      head('GET', '', '/a b/è'),
      head('GET', '', 'è'),
      head('BREW'),
      'GET /è HTTP/3.0\r\nHost: h\r\n\r\n',
      'GET /è\r\n\r\n',
      head('GET', 'bad header\r\n'),
    ]) {
      const wire = await RawConnection.open(t, port);
      wire.send(bytes(text));
      assert.match(await wire.waitForClose(), /^HTTP\/1\.1 400 Bad Request\r\n/, text);
    }
  });
});

describe('encoding a target', () => {
  test('encodes only bytes above 0x7F of the request line', () => {
    const rest = '\r\nHost: é\r\n\r\nbody é';
    assert.equal(
      String(encodeRequestTarget(bytes(`GET /a%2F+é/日?q=ü HTTP/1.1${rest}`))),
      `GET /a%2F+%C3%A9/%E6%97%A5?q=%C3%BC HTTP/1.1${rest}`,
    );
    for (const none of [
      '',
      'GET / HTTP/1.1\r\n',
      'GET /é HTTP/1.1',
      '/é HTTP/1.1\r\n',
      'GET /a é HTTP/1.1\r\n',
    ]) {
      assert.equal(encodeRequestTarget(bytes(none)), undefined, none);
    }
  });

  test('never creates a second line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (target) => {
        const packet = Buffer.concat([bytes('GET /'), target, bytes(' HTTP/1.1\r\n')]);
        const encoded = encodeRequestTarget(packet);
        if (encoded === undefined) return;
        assert.equal(encoded.indexOf('\n'), encoded.length - 1);
        assert.deepEqual(
          [...Buffer.from(unescape(encoded.toString('latin1')), 'latin1')],
          [...Buffer.from(unescape(packet.toString('latin1')), 'latin1')],
        );
      }),
    );
  });
});
