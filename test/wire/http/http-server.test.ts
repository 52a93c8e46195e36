import assert from 'node:assert/strict';
import { link, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, request, type ServerResponse } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { ListenAddress } from '../../../src/base/addresses.ts';
import { createLog } from '../../../src/base/log.ts';
import { getClientInfo } from '../../../src/http/common/client-info.ts';
import { TlsError } from '../../../src/http/listener/certificate.ts';
import {
  type DataPlane,
  HttpServer,
  type HttpServerSettings,
} from '../../../src/http/listener/http-server.ts';
import { ListenError } from '../../../src/http/listener/listen.ts';
import { sendRawBytes, sendRequest } from '../../support/http.ts';
import { readTestBody } from '../../support/read-test-body.ts';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';

const log = createLog({ level: 'silent', format: 'json' });
const LOCAL: ListenAddress = { host: '127.0.0.1', port: 0 };

interface Started {
  readonly server: HttpServer;
  readonly port: number;
}

/** A server with a stub data plane, which answers with a fixed text or keeps the response open for the test. */
async function start(
  t: TestContext,
  settings: Partial<HttpServerSettings> = {},
  data: Partial<DataPlane> = {},
): Promise<Started> {
  const endpoint: DataPlane = {
    owns: (path) => path.startsWith('/put/'),
    handle: (request, response) => response.end(`data ${request.url}`),
    handleContinue: (_request, response) => response.writeHead(413).end('data refuses'),
    ...data,
  };
  const server = new HttpServer(
    {
      log,
      dataPlane: endpoint,
      route: (request, response) => {
        const { address, protocol } = getClientInfo(request, () => false);
        if (request.url === '/refused') {
          response.writeHead(403).end();
          return;
        }
        void readTestBody(request).then(() => response.end(`route ${request.url} ${address} ${protocol}`));
      },
    },
    { listen: [LOCAL], baseUrls: [], ...settings },
  );
  await server.start();
  t.after(() => server.stop({ graceMs: 0 }));
  return { server, port: portOf(server) };
}

function portOf(server: HttpServer): number {
  const [address] = server.addresses;
  return address !== undefined && 'port' in address ? address.port : 0;
}

async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-server-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('the server', () => {
  test('sends file paths to the data plane and others to the router, with and without the base path', async (t) => {
    const { port } = await start(t, { baseUrls: ['https://example.org/share'] });
    const at = { host: '127.0.0.1', port };
    assert.equal((await sendRequest(at, '/put/x?y')).text, 'data /put/x?y');
    assert.equal((await sendRequest(at, '/share/put/x')).text, 'data /put/x');
    assert.equal((await sendRequest(at, '/share/slot/?a')).text, 'route /slot/?a 127.0.0.1 http');
    assert.equal((await sendRequest(at, '/')).text, 'route / 127.0.0.1 http');
  });

  test('listens on several addresses at once', async (t) => {
    const { server } = await start(t, { listen: [LOCAL, LOCAL] });
    for (const address of server.addresses) {
      assert.ok('port' in address);
      assert.equal(
        (await sendRequest({ host: '127.0.0.1', port: address.port }, '/put/x')).text,
        'data /put/x',
      );
    }
  });

  test('names the address that failed, and then listens on none', async (t) => {
    const { port } = await start(t);
    const { port: free } = await start(t);
    const second = new HttpServer(
      { log, dataPlane: { owns: () => false, handle: () => 0, handleContinue: () => 0 }, route: () => 0 },
      { listen: [LOCAL, { host: '127.0.0.1', port }], baseUrls: [] },
    );
    await assert.rejects(second.start(), (error: Error) => {
      assert.ok(error instanceof ListenError);
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}: another program`));
      return true;
    });
    assert.notEqual(free, port);
  });

  test('leaves 100 Continue to the data plane, and sends it for all other requests when their body is read', async (t) => {
    const { port } = await start(t);
    const ask = (path: string) =>
      sendRawBytes(
        port,
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
      );
    const refused = await ask('/put/x');
    assert.match(refused, /^HTTP\/1\.1 413 [\s\S]*data refuses/);
    assert.match(await ask('/slot/'), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    assert.match(await ask('/refused'), /^HTTP\/1\.1 403 /);
  });

  test('answers 400 to a request that is not HTTP and closes the connection', async (t) => {
    const { port } = await start(t);
    for (const bytes of [
      'nonsense\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01',
      'GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n',
    ]) {
      assert.match(
        await sendRawBytes(port, bytes),
        /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n$/,
      );
    }
  });

  test('answers headers above 16 KiB with 431', async (t) => {
    const { port } = await start(t);
    const long = `GET /put/x HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
    assert.match(await sendRawBytes(port, long), /^HTTP\/1\.1 431 /);
  });

  test('closes a connection whose headers never end, while others are served', async (t) => {
    const { port } = await start(t, { headersTimeoutMs: 50 });
    const slow = sendRawBytes(port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    assert.equal((await sendRequest({ host: '127.0.0.1', port }, '/put/x')).text, 'data /put/x');
    assert.match(await slow, /^HTTP\/1\.1 408 /);
  });
});

describe('a Unix socket', () => {
  test('is accessible for owner and group only, and removed when the server stops', async (t) => {
    const path = join(await tempFolder(t), 'porter.sock');
    const { server } = await start(t, { listen: [{ path }] });
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    assert.equal((await sendRequest({ socketPath: path }, '/x')).text, 'route /x unix http');
    await server.stop({ graceMs: 0 });
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  test('that a dead process has left is replaced', async (t) => {
    const path = join(await tempFolder(t), 'porter.sock');
    await leaveSocketBehind(path);
    const { server } = await start(t, { listen: [{ path }] });
    assert.deepEqual(server.addresses, [{ path }]);
    assert.equal((await sendRequest({ socketPath: path }, '/put/x')).status, 200);
  });

  test('in use by another process, and a file that is not a socket, stay untouched', async (t) => {
    const folder = await tempFolder(t);
    const path = join(folder, 'porter.sock');
    await start(t, { listen: [{ path }] });
    await assert.rejects(start(t, { listen: [{ path }] }), /another program already listens there/);
    assert.equal((await sendRequest({ socketPath: path }, '/put/x')).status, 200);
    const file = join(folder, 'precious');
    await writeFile(file, 'precious');
    await assert.rejects(start(t, { listen: [{ path: file }] }), /a file that is not a socket has this name/);
    assert.equal((await stat(file)).size, 8);
  });
});

/** Leaves a socket file as after `kill -9`. Node unlinks the socket of a server that it closes, so it is linked elsewhere. */
async function leaveSocketBehind(path: string): Promise<void> {
  const dead = createServer();
  await new Promise<void>((done) => dead.listen(`${path}.dead`, done));
  await link(`${path}.dead`, path);
  await new Promise((done) => dead.close(done));
}

describe('TLS', () => {
  async function certified(t: TestContext) {
    const folder = await tempFolder(t);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const write = async ({ cert, key }: { cert: string; key: string }) => {
      await writeFile(files.cert, cert);
      await writeFile(files.key, key);
    };
    return { files, write };
  }

  /** The serial number of the certificate that a new connection sees, and the answer's body. */
  function ask(port: number, options = {}): Promise<{ serial: string; body: string }> {
    return new Promise((resolve, reject) => {
      const asked = tlsRequest({
        port,
        host: '127.0.0.1',
        path: '/x',
        agent: false,
        rejectUnauthorized: false,
        ...options,
      });
      asked.on('error', reject);
      asked.on('response', (response) => {
        const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
        response.setEncoding('utf8').on('data', (body: string) => resolve({ serial, body }));
      });
      asked.end();
    });
  }

  test('is served without a proxy, with the address of the client', async (t) => {
    const { files, write } = await certified(t);
    const certificate = createSelfSigned(['localhost', '127.0.0.1']);
    await write(certificate);
    const { port } = await start(t, { tls: files });
    const { body } = await ask(port, { rejectUnauthorized: true, ca: certificate.cert });
    assert.equal(body, 'route /x 127.0.0.1 https');
  });

  test('refuses versions older than 1.2', async (t) => {
    const { files, write } = await certified(t);
    await write(createSelfSigned(['localhost']));
    const { port } = await start(t, { tls: files });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(ask(port, old));
    await ask(port, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
  });

  test('uses a new certificate without a restart', async (t) => {
    const { files, write } = await certified(t);
    await write(createSelfSigned(['localhost']));
    const { server, port } = await start(t, { tls: files });
    const before = await ask(port);
    await write(createSelfSigned(['localhost']));
    await server.reloadCertificate();
    assert.notEqual((await ask(port)).serial, before.serial);
  });

  test('keeps the old certificate if the new one is invalid, and reports why', async (t) => {
    const { files, write } = await certified(t);
    await write(createSelfSigned(['localhost']));
    const { server, port } = await start(t, { tls: files });
    const before = await ask(port);
    const other = createSelfSigned(['localhost']);
    const cases: readonly [() => Promise<void>, RegExp][] = [
      [
        () => write({ cert: other.cert, key: createSelfSigned(['localhost']).key }),
        /does not belong to the certificate/,
      ],
      [() => write({ cert: 'nonsense', key: other.key }), /PEM/],
      [() => write({ cert: other.cert, key: '' }), /PEM|certificate cannot be used/],
      [() => rm(files.key), /Cannot read \/\S+ \(tls\.key\): the file does not exist\. Correct the path\./],
    ];
    for (const [breakFiles, expected] of cases) {
      await breakFiles();
      await assert.rejects(server.reloadCertificate(), (error: Error) => {
        assert.ok(error instanceof TlsError);
        assert.match(error.message, expected);
        return true;
      });
      assert.equal((await ask(port)).serial, before.serial);
    }
  });

  test('does not start with an invalid certificate', async (t) => {
    const { files } = await certified(t);
    await assert.rejects(start(t, { tls: files }), TlsError);
  });
});

describe('stopping', () => {
  /** A transfer in flight: its response, held open by the data plane. */
  async function transfer(t: TestContext, settings: Partial<HttpServerSettings> = {}) {
    const held = Promise.withResolvers<ServerResponse>();
    const started = await start(t, settings, {
      handle: (_request, response) => {
        response.writeHead(200, { 'Content-Length': '10' }).write('12345');
        held.resolve(response);
      },
    });
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const asked = request({ host: '127.0.0.1', port: started.port, path: '/put/x', agent });
    asked.end();
    const body = new Promise<string>((resolve, reject) => {
      let text = '';
      asked.on('error', reject);
      asked.on('response', (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => resolve(text));
      });
    });
    return { ...started, response: await held.promise, body };
  }

  test('completes transfers in flight, refuses new requests, and closes idle connections at once', async (t) => {
    const { server, port, response, body } = await transfer(t);
    const idle = await opened(port, '');
    const halfway = await opened(port, 'GET / HTTP/1.1\r\nHost: ');
    const stopped = server.stop({ graceMs: 60_000 });
    await Promise.all([idle.closed, halfway.closed]);
    await assert.rejects(sendRequest({ host: '127.0.0.1', port }, '/put/y'), { code: 'ECONNREFUSED' });
    response.end('67890');
    assert.equal(await body, '1234567890');
    await stopped;
  });

  test('aborts requests that are not complete after the grace period', async (t) => {
    const { server, body } = await transfer(t);
    const cut = assert.rejects(body);
    await server.stop({ graceMs: 10 });
    await cut;
  });

  test('may be repeated', async (t) => {
    const { server } = await start(t);
    await Promise.all([server.stop({ graceMs: 10 }), server.stop({ graceMs: 10 })]);
  });
});

/** A connection on which some bytes were sent and no more follow. */
async function opened(port: number, bytes: string): Promise<{ closed: Promise<void> }> {
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise<void>((done) => socket.on('error', () => undefined).on('close', () => done()));
  await new Promise((done) => socket.on('connect', () => socket.write(bytes, done)));
  socket.resume();
  return { closed };
}
