import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { httpRequest, openRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { assertFindings, runDoctor } from '../support/run-doctor.ts';
import {
  accelRedirect,
  apacheSendfile,
  HOST,
  LARGE,
  lighttpdSendfile,
  Site,
  webserver,
} from './download-site.ts';

describe('Downloads sent by a web server', { concurrency: true }, () => {
  for (const mode of [accelRedirect, apacheSendfile, lighttpdSendfile, webserver]) {
    describe(mode.name, { skip: needs(...mode.peers), concurrency: true }, () => {
      let site: Site;
      before(async () => {
        site = await Site.start(mode);
      });
      after(() => site?.stop());

      suite(() => site);
      if (mode.asksPorter) decidesByPorter(() => site);
      else servesAlone(() => site);
    });
  }
});

/** The guarantees for clients, whether Porter or a web server sends the bytes. */
function suite(site: () => Site): void {
  test('a file is served byte for byte, with every header exactly once', async () => {
    const body = randomBytes(200_000);
    const get = await site().upload(body, 'Très cool.jpg', 'image/jpeg');
    const { status, headers, body: got } = await site().ask(get, { 'Accept-Encoding': 'gzip, br' });
    assert.equal(status, 200);
    assert.ok(got.equals(body));
    assert.equal(headers['content-type'], 'image/jpeg');
    assert.equal(headers['content-length'], '200000');
    assert.equal(headers['content-encoding'], undefined);
    assert.match(headers['content-disposition'] ?? '', /^inline; filename="Tres[ _]cool\.jpg"/);
    assert.match(headers.etag ?? '', /^"[^"]+"$/);
    assert.ok(!Number.isNaN(Date.parse(headers['last-modified'] ?? '')));
    assert.equal(headers['accept-ranges'], 'bytes');
    assert.match(headers['cache-control'] ?? '', /^public, immutable, max-age=\d+$/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
    );
    assert.equal(headers['x-robots-tag'], 'noindex');
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin');
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.match(headers['access-control-expose-headers'] ?? '', /Content-Disposition/);
  });

  test('active content is served as an attachment', async () => {
    const page = Buffer.from('<script>alert(1)</script>');
    for (const [name, type] of [
      ['page.html', 'text/html'],
      ['drawing.svg', 'image/svg+xml'],
    ] as const) {
      const { headers } = await site().ask(await site().upload(page, name, type));
      assert.equal(headers['content-type'], type);
      assert.match(headers['content-disposition'] ?? '', /^attachment/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
  });

  test('the extension of the name does not change the type', async () => {
    const { headers } = await site().ask(
      await site().upload(Buffer.from('PNG'), 'picture.html', 'image/png'),
    );
    assert.equal(headers['content-type'], 'image/png');
  });

  test('byte ranges of every form work', async () => {
    const body = randomBytes(100_000);
    const get = await site().upload(body, 'video.mp4', 'video/mp4');
    for (const [range, start, end] of [
      ['bytes=0-', 0, 100_000],
      ['bytes=100-149', 100, 150],
      ['bytes=-500', 99_500, 100_000],
      ['bytes=99990-200000', 99_990, 100_000],
    ] as const) {
      const part = await site().ask(get, { Range: range });
      assert.equal(part.status, 206, range);
      assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/100000`);
      assert.ok(part.body.equals(body.subarray(start, end)), range);
      assert.equal(part.headers['content-type'], 'video/mp4');
      assert.equal(part.headers['access-control-allow-origin'], '*');
    }
    const many = await site().ask(get, { Range: 'bytes=0-1,50000-50001' });
    // lighttpd also supports several ranges in one request.
    assert.ok(many.body.length === 100_000 || /^multipart/.test(many.headers['content-type'] ?? ''));
  });

  test('conditional requests work: If-None-Match, If-Modified-Since, If-Range, If-Match', async () => {
    const body = randomBytes(1000);
    const get = await site().upload(body, 'a.png', 'image/png');
    const { etag = '', 'last-modified': modified = '' } = (await site().ask(get)).headers;
    assert.equal((await site().ask(get, { 'If-None-Match': etag })).status, 304);
    assert.equal((await site().ask(get, { 'If-None-Match': '"other"' })).status, 200);
    assert.equal((await site().ask(get, { 'If-Modified-Since': modified })).status, 304);
    assert.equal((await site().ask(get, { 'If-Match': etag })).status, 200);
    assert.equal((await site().ask(get, { 'If-Match': '"other"' })).status, 412);
    for (const [validator, status] of [
      [etag, 206],
      ['"other"', 200],
    ] as const) {
      const { status: got } = await site().ask(get, { Range: 'bytes=5-9', 'If-Range': validator });
      assert.equal(got, status, validator);
    }
  });

  test('HEAD answers with the exact length and no body', async () => {
    const get = await site().upload(Buffer.alloc(50_000, 'x'), 'notes.txt', 'text/plain');
    const { status, headers, body } = await site().ask(get, { 'Accept-Encoding': 'gzip' }, 'HEAD');
    assert.deepEqual([status, headers['content-length'], body.length], [200, '50000', 0]);
    assert.match(headers['content-disposition'] ?? '', /^inline/);
  });

  test('a missing file gets 404 without a body, with CORS headers', async () => {
    const get = await site().upload(Buffer.from('here'), 'a.txt', 'text/plain');
    const [, id = ''] = /([0-9a-z]{26})/.exec(get) ?? [];
    for (const method of ['GET', 'HEAD']) {
      const missing = get.replaceAll(id, id.replace(/.{5}$/, '00000'));
      const { status, headers, body } = await site().ask(missing, {}, method);
      assert.deepEqual([status, body.length], [404, 0]);
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.equal(headers['cache-control'], 'no-store');
      if (method === 'HEAD') assert.equal(headers['content-length'], undefined);
    }
  });

  test('a range that begins after the end gets 416, which no cache keeps', async () => {
    const get = await site().upload(Buffer.from('here'), 'a.txt', 'text/plain');
    const { status, headers, body } = await site().ask(get, { Range: 'bytes=4-' });
    assert.deepEqual([status, headers['content-range'], body.length], [416, 'bytes */4', 0]);
    assert.match(headers['cache-control'] ?? '', /no-store$/);
  });

  test('a CORS preflight succeeds', async () => {
    const get = await site().upload(Buffer.from('here'), 'a.txt', 'text/plain');
    const { status, headers } = await site().ask(get, { 'Access-Control-Request-Method': 'GET' }, 'OPTIONS');
    assert.ok(status === 200 || status === 204, String(status));
    assert.match(headers['access-control-allow-headers'] ?? '', /Range/);
  });

  test('porter delete removes a file by its link', async () => {
    const get = await site().upload(Buffer.from('secret'), 'a.txt', 'text/plain');
    const { code, stderr } = await site().porter.runCommand('delete', get);
    assert.equal(code, 0, stderr);
    await site().porter.program.waitFor(
      'the end of the file',
      async () => (await site().ask(get)).status === 404,
    );
  });

  test('porter doctor reports no problem', async () => {
    const diagnosis = await runDoctor(join(site().porter.folder, 'porter.yml'), [], {
      NODE_EXTRA_CA_CERTS: site().place.certificate.cert,
    });
    assertFindings(diagnosis, 'fail', {});
    assertFindings(diagnosis, 'warn', {});
  });
}

function decidesByPorter(site: () => Site): void {
  test('the bytes bypass Porter: a download completes while Porter is stopped', async () => {
    const get = await site().upload(Buffer.alloc(LARGE, 'x'), 'large.bin', 'application/octet-stream');
    const request = openRequest(get, { ca: site().ca });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    site().porter.program.signal('SIGSTOP');
    try {
      let size = 0;
      for await (const chunk of response) size += (chunk as Buffer).length;
      assert.equal(size, LARGE);
    } finally {
      site().porter.program.signal('SIGCONT');
    }
  });

  test('the ETag is that of Porter, so that caches stay valid when the delivery changes', async () => {
    const get = await site().upload(Buffer.from('x'), 'a.png', 'image/png');
    const [, id] = /([0-9a-z]{26})/.exec(get) ?? [];
    const { headers } = await site().ask(get);
    assert.equal(headers.etag, `"${id}"`);
    assert.match(headers['content-disposition'] ?? '', /filename\*=UTF-8''a\.png$/);
  });

  test('no response reveals a path, and the internal location is not accessible', async () => {
    const get = await site().upload(Buffer.from('x'), 'a.png', 'image/png');
    const [, id = ''] = /([0-9a-z]{26})/.exec(get) ?? [];
    const { headers } = await site().ask(get);
    assert.ok(!JSON.stringify(headers).includes(site().porter.folder));
    assert.deepEqual(
      Object.keys(headers).filter((name) => /^x-(?:accel|sendfile)/.test(name)),
      [],
    );
    const base = new URL(get).origin;
    for (const path of [`/porter-blobs/${id.slice(-2)}/${id}.png`, `/${id.slice(-2)}/${id}.png`]) {
      assert.equal((await site().ask(`${base}${path}`)).status, 404);
    }
  });
}

describe('A folder that the web server cannot read', () => {
  test('is reported by porter doctor', { skip: needs(...apacheSendfile.peers) || notRoot() }, async () => {
    const site = await Site.start(apacheSendfile);
    try {
      await chmod(site.place.blobs, 0o700);
      const diagnosis = await runDoctor(join(site.porter.folder, 'porter.yml'), [], {
        NODE_EXTRA_CA_CERTS: site.place.certificate.cert,
      });
      assertFindings(diagnosis, 'fail', { download: /must be able to read the folder of storage\.blobs/ });
    } finally {
      await site.stop();
    }
  });
});

/** Apache runs under another user id than Porter only if it is started by root. */
function notRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'needs root';
}

function servesAlone(site: () => Site): void {
  test('links point to download_url, and files are served while Porter is down', async () => {
    const get = await site().upload(Buffer.from('here'), 'Très cool.txt', 'text/plain');
    assert.ok(get.startsWith(`https://${HOST}:${site().place.filesPort}/`), get);
    assert.match(get, /\/Tres_cool\.txt$/);
    site().porter.program.signal('SIGSTOP');
    try {
      assert.equal((await site().ask(get)).text, 'here');
    } finally {
      site().porter.program.signal('SIGCONT');
    }
  });

  test('Porter itself answers 404 without a body', async () => {
    const get = await site().upload(Buffer.from('here'), 'a.txt', 'text/plain');
    const [, id = ''] = /([0-9a-z]{26})/.exec(get) ?? [];
    for (const method of ['GET', 'HEAD']) {
      const { status, body } = await httpRequest(`${site().porter.url}/files/${id}/a.txt`, { method });
      assert.deepEqual([status, body.length], [404, 0]);
    }
  });

  test('an incomplete upload is not visible', async () => {
    const size = 3_000_000;
    const query = new URLSearchParams({ jid: 'romeo@example.org', name: 'a.bin', size: String(size) });
    const [put = '', get = ''] = (await httpRequest(`${site().porter.url}/slot/?${query}`)).text.split('\n');
    const request = openRequest(put, { method: 'PUT', ca: site().ca, headers: { 'Content-Length': size } });
    request.write(Buffer.alloc(size - 1));
    const [, folder = '', blob = ''] = new URL(get).pathname.split('/');
    const id = blob.split('.', 1)[0] ?? '';
    // A PUT writes under a name that only it has: the id of the slot, and its own.
    const findAttempt = async () => {
      const names = await readdir(join(site().place.blobs, folder)).catch(() => []);
      return names.find((name) => name.startsWith(id));
    };
    await site().porter.program.waitFor('the first bytes on disk', async () => {
      const name = await findAttempt();
      return name !== undefined && (await readFile(join(site().place.blobs, folder, name))).length > 0;
    });
    assert.equal((await site().ask(get)).status, 404);
    assert.notEqual(await findAttempt(), blob, 'the name of the attempt is in no link');
    const stored = once(request, 'response');
    request.end(Buffer.alloc(1));
    await stored;
    assert.equal((await site().ask(get)).body.length, size);
  });

  test('no path escapes the blob folder', async () => {
    const { origin } = new URL(await site().upload(Buffer.from('here'), 'a.txt', 'text/plain'));
    for (const path of [
      '/porter.db',
      '/..%2fporter.db',
      '/%2e%2e/porter.db',
      '/aa/%2e%2e/%2e%2e/porter.db',
      '/aa/..%2f..%2fporter.yml',
      '/aa%2f%2e%2e%2f%2e%2e%2fporter.yml',
      '/aa/00000000000000000000000000.txt%00/a.txt',
      '/',
      '/aa/',
    ]) {
      const { status, text } = await site().ask(`${origin}${path}`);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
      assert.doesNotMatch(text, /listen|SQLite/, path);
    }
  });

  test('porter uploads shows the same link', async () => {
    const get = await site().upload(Buffer.from('here'), 'shown.txt', 'text/plain');
    const { stdout } = await site().porter.runCommand('uploads', '--json');
    const links = (JSON.parse(stdout) as { link: string }[]).map(({ link }) => link);
    assert.ok(links.includes(get));
  });
}
