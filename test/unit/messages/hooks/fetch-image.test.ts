import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { createServer, type RequestListener } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { getNetworkScope } from '../../../../src/base/network-scope.ts';
import { fetchImage } from '../../../../src/messages/hooks/fetch-image.ts';
import { ImageError, isAddressAllowed, matchImageHost } from '../../../../src/messages/hooks/image-hosts.ts';

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const sendPng: RequestListener = (_request, response) =>
  response.setHeader('Content-Type', 'image/png').end(PNG);

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const order = (url: string, hosts: readonly string[], more: object = {}) => ({
  url,
  hosts,
  maxSize: 1000,
  signal: AbortSignal.timeout(30_000),
  ...more,
});

async function errorOf(fetching: Promise<unknown>): Promise<string> {
  const error = await fetching.then(
    () => assert.fail('it was fetched'),
    (fault: unknown) => fault,
  );
  assert.ok(error instanceof ImageError, String(error));
  return error.message;
}

describe('An image URL in a payload', () => {
  test('is fetched from a listed host, also a private one, and named after its type', async (t) => {
    const port = await serve(t, sendPng);
    const image = await fetchImage(order(`http://localhost:${port}/a/graph%201?x=1`, [`localhost:${port}`]));
    assert.deepEqual(image, { bytes: PNG, type: 'image/png', name: 'graph_1.png' });
    const literal = await fetchImage(order(`http://127.0.0.1:${port}/x.png`, [`127.0.0.1:${port}`]));
    assert.equal(literal.name, 'x.png');
  });

  test('is not requested if no entry lists its host and port', async (t) => {
    let asked = 0;
    const port = await serve(t, (_request, response) => {
      asked += 1;
      response.end();
    });
    const url = `http://localhost:${port}/x.png`;
    for (const hosts of [
      [],
      ['localhost'],
      ['grafana.example.org'],
      ['localhost:1'],
      ['*.example.org'],
      ['*'],
    ]) {
      assert.match(await errorOf(fetchImage(order(url, hosts))), /not listed in images_from/);
    }
    for (const bad of [
      'ftp://localhost/x',
      'file:///etc/passwd',
      `http://u:p@localhost:${port}/`,
      'nonsense',
    ]) {
      await errorOf(fetchImage(order(bad, ['localhost', `localhost:${port}`])));
    }
    assert.equal(asked, 0);
  });

  test('never reaches a private address through a wildcard entry', async (t) => {
    const port = await serve(t, sendPng);
    for (const url of [`http://localhost:${port}/`, `http://127.0.0.1:${port}/`, `http://[::1]:${port}/`]) {
      assert.match(
        await errorOf(fetchImage(order(url, [`*:${port}`]))),
        /private or special|not an allowed address/,
      );
    }
  });

  test('is redirected only to listed hosts', async (t) => {
    const away = await serve(t, (_request, response) =>
      response.writeHead(302, { Location: 'http://169.254.169.254/' }).end('x'.repeat(500)),
    );
    const port = await serve(t, (request, response) => {
      if (request.url === '/here') response.writeHead(301, { Location: '/x.png' }).end('moved');
      else if (request.url === '/round') response.writeHead(302, { Location: '/round' }).end();
      else sendPng(request, response);
    });
    const hosts = [`localhost:${port}`, `localhost:${away}`];
    assert.deepEqual((await fetchImage(order(`http://localhost:${port}/here`, hosts))).bytes, PNG);
    assert.match(
      await errorOf(fetchImage(order(`http://localhost:${away}/`, hosts))),
      /169\.254\.169\.254:80 is not listed in/,
    );
    assert.match(
      await errorOf(fetchImage(order(`http://localhost:${port}/round`, hosts))),
      /too many redirects/,
    );
  });

  test('must be a complete image within the size limit', async (t) => {
    const answers: Record<string, RequestListener> = {
      '/html': (_request, response) => response.setHeader('Content-Type', 'text/html').end('<p>'),
      '/none': (_request, response) => response.end('x'),
      '/404': (_request, response) => response.writeHead(404, { 'Content-Type': 'image/png' }).end(PNG),
      '/gzip': (_request, response) =>
        response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Encoding': 'gzip' }).end(PNG),
      '/said': (_request, response) =>
        response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': 2000 }).write('x'),
      '/large': (_request, response) =>
        response.writeHead(200, { 'Content-Type': 'image/png' }).write(Buffer.alloc(5000)),
      '/cut': (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': 900 }).write('x');
        setImmediate(() => response.destroy());
      },
      '/empty': (_request, response) => response.setHeader('Content-Type', 'image/png').end(),
    };
    const port = await serve(t, (request, response) => answers[request.url ?? '']?.(request, response));
    const why: Record<string, RegExp> = {
      '/html': /type is text\/html, not an image/,
      '/none': /type is missing, not an image/,
      '/404': /answered with status 404/,
      '/gzip': /compressed/,
      '/said': /larger than max_image_size/,
      '/large': /larger than max_image_size/,
      '/cut': /closed before the end/,
      '/empty': /empty/,
    };
    for (const [path, fault] of Object.entries(why)) {
      const url = `http://localhost:${port}${path}`;
      assert.match(await errorOf(fetchImage(order(url, [`localhost:${port}`]))), fault, path);
    }
  });

  test('is fetched from the checked addresses, without a second DNS lookup', async (t) => {
    const port = await serve(t, sendPng);
    const answers = [
      ['127.0.0.1'],
      ['127.0.0.1', '169.254.169.254'],
      ['127.0.0.1'],
      ['93.184.215.14', '::1'],
    ];
    const lookUp = t.mock.method(dns, 'lookup', async () =>
      (answers.shift() ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
    syncBuiltinESMExports();
    t.after(() => {
      lookUp.mock.restore();
      syncBuiltinESMExports();
    });
    const url = `http://graph.invalid:${port}/x.png`;
    assert.deepEqual((await fetchImage(order(url, [`graph.invalid:${port}`]))).bytes, PNG);
    assert.match(
      await errorOf(fetchImage(order(url, [`graph.invalid:${port}`]))),
      /resolves to 169\.254\.169\.254/,
    );
    assert.match(await errorOf(fetchImage(order(url, [`*.invalid:${port}`]))), /resolves to 127\.0\.0\.1/);
    assert.match(await errorOf(fetchImage(order(url, [`*:${port}`]))), /resolves to ::1/);
    assert.equal(lookUp.mock.callCount(), 4);
  });

  test('is given up after the timeout', async (t) => {
    const port = await serve(t, () => undefined);
    const signal = AbortSignal.timeout(50);
    await errorOf(fetchImage(order(`http://localhost:${port}/`, [`localhost:${port}`], { signal })));
  });
});

describe('An address', () => {
  test('is public, private or blocked', () => {
    const reaches = {
      public: ['93.184.215.14', '8.8.8.8', '2606:2800:21f::1', '172.32.0.1'],
      private: [
        '127.0.0.1',
        '127.9.9.9',
        '10.1.2.3',
        '192.168.0.1',
        '172.16.0.1',
        '100.64.0.1',
        '::1',
        'fd00::1',
      ],
      blocked: [
        ...['0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', '240.0.0.1', '198.18.0.1'],
        ...[
          '::',
          'fe80::1',
          'ff02::1',
          '64:ff9b::7f00:1',
          '2002:7f00:1::',
          '2001::1',
          'fec0::1',
          '2001:db8::1',
        ],
        ...['::ffff:169.254.169.254', '::ffff:8.8.8.8', '::127.0.0.1'],
      ],
    };
    for (const [reach, addresses] of Object.entries(reaches)) {
      for (const address of addresses) assert.equal(getNetworkScope(address), reach, address);
    }
    for (const inner of ['::ffff:127.0.0.1', '::ffff:10.0.0.1'])
      assert.notEqual(getNetworkScope(inner), 'public', inner);
  });

  test('that is private needs an entry with the full host name, and a blocked one an entry with the address itself', () => {
    const reached = (url: string, host: string) => {
      const trust = matchImageHost(new URL(url), [host]);
      return (['public', 'private', 'blocked'] as const).filter((reach) => isAddressAllowed(trust, reach));
    };
    assert.deepEqual(reached('https://grafana.lan/x', 'grafana.lan'), ['public', 'private']);
    assert.deepEqual(reached('https://a.example.org/x', '*.example.org'), ['public']);
    assert.deepEqual(reached('http://2130706433/x', '127.0.0.1'), ['public', 'private', 'blocked']);
    assert.deepEqual(reached('http://[::1]:3000/x', '[::1]:3000'), ['public', 'private', 'blocked']);
  });

  test('does not match an entry that is only a suffix of its name', () => {
    for (const url of ['https://evilexample.org/', 'https://example.org/', 'https://example.org.evil.net/']) {
      assert.throws(() => matchImageHost(new URL(url), ['*.example.org']), ImageError, url);
    }
    assert.throws(() => matchImageHost(new URL('https://localhost:8443/'), ['localhost']), ImageError);
    assert.throws(() => matchImageHost(new URL('https://localhost:18443/'), ['localhost:8443']), ImageError);
  });
});
