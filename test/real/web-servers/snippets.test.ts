import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readResponse } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { runProgram } from '../support/program.ts';
import { HOST, MB, nginxKind, ProxyTestbed, UNTRUSTED_ADDRESS, webServerKinds } from './proxy-testbed.ts';

describe('The web server snippets', { concurrency: true }, () => {
  for (const kind of webServerKinds) {
    describe(kind.name, { skip: needs(kind.name, 'curl'), concurrency: true }, () => {
      let testbed: ProxyTestbed;
      before(async () => {
        testbed = await ProxyTestbed.start(kind);
      });
      after(() => testbed.stop());

      suite(() => testbed);
      if (kind.pauseMs !== undefined) mayPause(() => testbed, kind.pauseMs);
    });
  }
});

function suite(testbed: () => ProxyTestbed): void {
  test('a file above every default body limit is served byte for byte', async () => {
    const body = randomBytes(3 * MB);
    const get = await testbed().upload(body);
    const answer = await testbed().request(get);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(body));
    assert.equal(answer.headers['content-type'], 'image/jpeg');
    assert.equal(answer.headers['content-length'], String(body.length));
  });

  test('curl uploads and downloads with any HTTP version', async () => {
    const { put, get } = await testbed().slot(2 * MB);
    const folder = await mkdtemp(join(tmpdir(), 'porter-curl-'));
    const [sent, got, ca] = ['sent', 'got', 'ca'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const body = randomBytes(2 * MB);
    await Promise.all([writeFile(sent, body), writeFile(ca, testbed().ca)]);
    const common = [
      '-sS',
      '--fail',
      '--cacert',
      ca,
      '--resolve',
      `${HOST}:${testbed().server.port}:127.0.0.1`,
    ];
    const type = ['-H', 'Content-Type: image/jpeg'];
    const uploaded = await runProgram('curl', [...common, ...type, '-T', sent, testbed().urlFor(put)]);
    assert.equal(uploaded.code, 0, uploaded.stderr);
    const downloaded = await runProgram('curl', [...common, '-o', got, testbed().urlFor(get)]);
    assert.equal(downloaded.code, 0, downloaded.stderr);
    assert.ok((await readFile(got)).equals(body));
    await rm(folder, { recursive: true });
  });

  test('byte ranges work, including one from the first byte', async () => {
    const body = randomBytes(200_000);
    const get = await testbed().upload(body);
    const whole = await testbed().request(get, { headers: { Range: 'bytes=0-' } });
    assert.deepEqual([whole.status, whole.headers['content-range']], [206, 'bytes 0-199999/200000']);
    assert.ok(whole.body.equals(body));
    const part = await testbed().request(get, { headers: { Range: 'bytes=100-149' } });
    assert.equal(part.status, 206);
    assert.ok(part.body.equals(body.subarray(100, 150)));
    const beyond = await testbed().request(get, { headers: { Range: 'bytes=200000-' } });
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */200000']);
  });

  test('HEAD answers with the exact length, also to clients that accept gzip', async () => {
    const { put, get } = await testbed().slot(50_000, 'notes.txt', 'text/plain');
    assert.equal(
      (await testbed().request(put, { method: 'PUT', body: Buffer.alloc(50_000, 'x') })).status,
      201,
    );
    const answer = await testbed().request(get, {
      method: 'HEAD',
      headers: { 'Accept-Encoding': 'gzip, br, zstd' },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], '50000');
    assert.equal(answer.headers['content-encoding'], undefined);
  });

  test('a refused PUT keeps its status, its one-line text and its CORS headers', async () => {
    const { put } = await testbed().slot(1000);
    const answer = await testbed().request(put, { method: 'PUT', body: 'too short' });
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain/);
    assert.match(answer.text, /^[^\n]+\n?$/);
  });

  test('a CORS preflight succeeds', async () => {
    const { put } = await testbed().slot(1000);
    const answer = await testbed().request(put, {
      method: 'OPTIONS',
      headers: { Origin: 'https://chat.example.org', 'Access-Control-Request-Method': 'PUT' },
    });
    assert.ok(answer.status >= 200 && answer.status < 300, String(answer.status));
    assert.match(answer.headers['access-control-allow-methods'] ?? '', /PUT/);
  });

  test('a missing file gets 404 without a body', async () => {
    const get = new URL(await testbed().upload(Buffer.from('here')));
    get.pathname = get.pathname.replace(/[A-Za-z0-9]{4}/, 'AAAA');
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, body } = await testbed().request(get.href, { method });
      assert.deepEqual([status, body.length, headers['cache-control']], [404, 0, 'no-store']);
      assert.equal(headers['content-length'], method === 'HEAD' ? undefined : '0');
    }
  });

  /** Sends a body that is longer than its slot until an answer comes. Returns its status. */
  async function sendTooMuch(): Promise<number> {
    const { put } = await testbed().slot(1000);
    const request = testbed().openPut(put, { 'Content-Length': 50 * MB });
    const answered = readResponse(request);
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    answered.then(end, end);
    for (let sent = 0; sent < 40 && !isOver; sent += 1) {
      request.write(Buffer.alloc(MB));
      await sleep(100);
    }
    assert.ok(isOver, 'no answer while the body was sent');
    const { status } = await answered;
    request.destroy();
    return status;
  }

  test('a refusal reaches a client that is still sending', async () => {
    const attempt = () => sendTooMuch().catch((error: NodeJS.ErrnoException) => error.code);
    let status = await attempt();
    // On a busy machine the client may be slower.
    for (let again = 0; again < 5 && testbed().kind.closesSoon && status !== 400; again += 1)
      status = await attempt();
    assert.equal(status, 400);
  });

  test('a client that sends Expect: 100-continue gets the right answer', async () => {
    const { put } = await testbed().slot(1000);
    const refused = testbed().openPut(put, { 'Content-Length': 999, Expect: '100-continue' });
    let continued = false;
    refused.on('continue', () => {
      continued = true;
      refused.end(Buffer.alloc(999));
    });
    const refusal = await readResponse(refused);
    assert.equal(refusal.status, 400, refusal.text);
    assert.equal(continued, !testbed().kind.forwardsExpect);
    refused.destroy();
    const taken = testbed().openPut(put, { 'Content-Length': 1000, Expect: '100-continue' });
    taken.on('continue', () => taken.end(Buffer.alloc(1000)));
    const stored = await readResponse(taken);
    assert.equal(stored.status, 201, stored.text);
  });

  test('the slot API accepts trusted addresses and refuses others, whatever headers they send', async () => {
    const query = '/slot/?jid=romeo@example.org&name=a.jpg&size=5';
    const claims = [
      {},
      { 'X-Forwarded-For': '127.0.0.1' },
      { Forwarded: 'for=127.0.0.1' },
      { 'X-Forwarded-For': '127.0.0.1', Forwarded: 'for=127.0.0.1' },
      { 'X-Real-IP': '127.0.0.1' },
    ];
    assert.equal((await testbed().request(query)).status, 200);
    for (const headers of claims) {
      const answer = await testbed().request(query, { localAddress: UNTRUSTED_ADDRESS, headers });
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.match(answer.text, /127\.0\.0\.9/);
    }
  });

  test('links use https and the public host name', async () => {
    const { put, get } = await testbed().slot(5);
    assert.ok(put.startsWith(`https://${HOST}/`), put);
    assert.ok(get.startsWith(`https://${HOST}/`), get);
  });
}

function mayPause(testbed: () => ProxyTestbed, pauseMs: number): void {
  test('a slow sender may pause', async () => {
    const { put } = await testbed().slot(200_000);
    const request = testbed().openPut(put, { 'Content-Length': 200_000 });
    const answered = readResponse(request);
    request.write(Buffer.alloc(1000));
    await sleep(pauseMs);
    request.end(Buffer.alloc(199_000));
    assert.equal((await answered).status, 201);
  });
}

describe('The web server snippets, with other settings of Porter', () => {
  for (const kind of webServerKinds) {
    const skip = needs(kind.name);
    test(`${kind.name}: without public_url the links contain the requested host and protocol`, { skip }, () =>
      ProxyTestbed.run(kind, linksAsAsked, { public_url: undefined }),
    );
    test(`${kind.name}: a body is streamed to Porter while the client sends`, { skip }, () =>
      ProxyTestbed.run(kind, bodyFlows),
    );
    test(
      `${kind.name}: while Porter is down there is no error page that a client would save as the file`,
      { skip },
      () => ProxyTestbed.run(kind, quietWhileDown),
    );
  }

  for (const how of ['passed on', 'cut off'] as const) {
    test(`nginx: a public_url with a path works if the prefix is ${how}`, {
      skip: needs('nginx'),
    }, () => {
      const cut = how === 'cut off' && { '5050;': '5050/;' };
      const changes = { 'location / {': 'location /share/ {', ...cut };
      return ProxyTestbed.run(nginxKind, worksBelowPath, { public_url: `https://${HOST}/share` }, changes);
    });
  }
});

async function linksAsAsked(testbed: ProxyTestbed): Promise<void> {
  const headers = {
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'http',
    Forwarded: 'host=evil.example',
  };
  const { status, text } = await testbed.request('/slot/?jid=romeo@example.org&name=a.jpg&size=5', {
    headers,
  });
  assert.equal(status, 200, text);
  for (const link of text.split('\n')) {
    const { protocol, hostname } = new URL(link);
    assert.deepEqual([protocol, hostname], ['https:', HOST]);
  }
}

async function bodyFlows(testbed: ProxyTestbed): Promise<void> {
  const size = 8 * MB;
  const { put, get } = await testbed.slot(size);
  const request = testbed.openPut(put, { 'Content-Length': size });
  const answered = readResponse(request);
  const half = randomBytes(size / 2);
  request.write(half);
  let seen = 0;
  for (let tries = 0; tries < 200 && seen < 2 * MB; tries += 1) {
    await sleep(50);
    seen = await testbed.storedBytes();
  }
  request.end(half);
  assert.ok(seen >= 2 * MB, `only ${seen} bytes came before the client had sent all`);
  assert.equal((await answered).status, 201);
  assert.ok((await testbed.request(get)).body.equals(Buffer.concat([half, half])));
}

async function quietWhileDown(testbed: ProxyTestbed): Promise<void> {
  await testbed.porter.stop();
  for (const method of ['GET', 'HEAD']) {
    const { status, text, headers } = await testbed.request('/files/abc/picture.jpg', { method });
    assert.ok(status === 502 || status === 503, String(status));
    assert.equal(text.trim(), '');
    assert.equal(headers['cache-control'], 'no-store');
    if (method === 'HEAD') assert.equal(headers['content-length'], undefined);
  }
}

async function worksBelowPath(testbed: ProxyTestbed): Promise<void> {
  const body = randomBytes(2 * MB);
  const get = await testbed.upload(body);
  assert.ok(get.startsWith(`https://${HOST}/share/`), get);
  assert.ok((await testbed.request(get)).body.equals(body));
  const asked = await testbed.request('/share/slot/max_size/?jid=romeo@example.org');
  assert.equal(asked.text.trim(), String(100 * MB));
}
