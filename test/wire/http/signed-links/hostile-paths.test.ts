import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { RawConnection } from '../../../support/raw-connection.ts';
import { signV, startTestSignedLinksServer } from '../../../support/test-signed-links-server.ts';

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
