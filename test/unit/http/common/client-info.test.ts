import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createAddressMatcher } from '../../../../src/base/addresses.ts';
import {
  getClientInfo,
  isAllowedClient,
  parseHost,
  recordConnection,
} from '../../../../src/http/common/client-info.ts';

const proxies = createAddressMatcher(['127.0.0.0/8', '::1', '10.0.0.0/8', '2001:db8:5::/48']);

interface Asked {
  readonly from?: string;
  readonly encrypted?: boolean;
}

function ask(headers: Record<string, string>, { from = '127.0.0.1', encrypted = false }: Asked = {}) {
  const socket = { remoteAddress: from, encrypted };
  return getClientInfo({ socket, headers } as unknown as IncomingMessage, proxies);
}

describe('the client of a request', () => {
  test('is the peer of the connection without proxy headers', () => {
    assert.deepEqual(ask({ host: 'localhost:5050' }, { from: '192.0.2.7' }), {
      address: '192.0.2.7',
      protocol: 'http',
      host: 'localhost:5050',
    });
    assert.equal(ask({ host: 'a.example' }, { encrypted: true }).protocol, 'https');
  });

  test('is an IPv4 address also if the socket reports it as IPv6', () => {
    assert.equal(ask({}, { from: '::ffff:192.0.2.7' }).address, '192.0.2.7');
    assert.equal(
      ask({ 'x-forwarded-for': '::ffff:192.0.2.7' }, { from: '::ffff:127.0.0.1' }).address,
      '192.0.2.7',
    );
  });

  test('is named by a trusted proxy, with its protocol and host', () => {
    const headers = {
      host: '127.0.0.1:5050',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'Upload.Example.org',
    };
    assert.deepEqual(ask(headers), { address: '192.0.2.7', protocol: 'https', host: 'upload.example.org' });
  });

  test('is never taken from the headers of an untrusted client', () => {
    const headers = {
      host: 'a.example',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=127.0.0.1;proto=https;host=evil.example',
    };
    assert.deepEqual(ask(headers, { from: '192.0.2.66' }), {
      address: '192.0.2.66',
      protocol: 'http',
      host: 'a.example',
    });
  });

  test('is the right-most hop that is not a trusted proxy: entries to its left may be forged', () => {
    assert.equal(ask({ 'x-forwarded-for': '127.0.0.1, 192.0.2.66, 10.1.2.3' }).address, '192.0.2.66');
    assert.equal(ask({ 'x-forwarded-for': '192.0.2.1, 127.0.0.1, 192.0.2.66' }).address, '192.0.2.66');
    assert.equal(ask({ 'x-forwarded-for': '10.0.0.2, 10.0.0.3' }).address, '10.0.0.2', 'all are proxies');
  });

  test('has the protocol and host that the outermost proxy wrote, not those before it', () => {
    const chain = {
      'x-forwarded-for': '127.0.0.1, 192.0.2.66, 10.1.2.3',
      'x-forwarded-host': 'evil, b.example, c',
    };
    assert.equal(ask({ ...chain, 'x-forwarded-proto': 'https, http, http' }).protocol, 'http');
    assert.equal(ask(chain).host, 'b.example');
  });

  test('may come with a port or in brackets', () => {
    for (const [given, address] of [
      ['192.0.2.7:4711', '192.0.2.7'],
      ['2001:DB8::7', '2001:db8::7'],
      ['[2001:db8::7]', '2001:db8::7'],
      ['[2001:db8::7]:4711', '2001:db8::7'],
    ] as const) {
      assert.equal(ask({ 'x-forwarded-for': given }).address, address);
      assert.equal(ask({ forwarded: `for="${given}"` }).address, address);
    }
  });

  test('is unknown if the proxy names no address, so that no address list matches it', () => {
    for (const nonsense of ['unknown', '_hidden', 'localhost', '127.0.0.1.5', '127.1', '0x7f.0.0.1', '::g']) {
      const peer = ask({ 'x-forwarded-for': nonsense });
      assert.equal(peer.address, 'unknown', nonsense);
      assert.equal(isAllowedClient(createAddressMatcher(['0.0.0.0/0', '::/0']), peer), false);
    }
  });

  test('is read from RFC 7239 as well', () => {
    const peer = ask({
      host: 'inner',
      forwarded: 'For="[2001:db8::7]:4711";Proto=https;Host="files.example:8443"',
    });
    assert.deepEqual(peer, { address: '2001:db8::7', protocol: 'https', host: 'files.example:8443' });
    assert.equal(
      ask({ forwarded: 'for=127.0.0.1, for=192.0.2.66;by=x, for=10.0.0.1' }).address,
      '192.0.2.66',
    );
  });

  test('cannot be forged with the quotes of RFC 7239', () => {
    assert.equal(ask({ forwarded: 'for=192.0.2.66;host="a,for=127.0.0.1;x=y"' }).address, '192.0.2.66');
    assert.equal(ask({ forwarded: 'for=192.0.2.66;host="a\\",for=127.0.0.1"' }).address, '192.0.2.66');
    assert.equal(ask({ forwarded: 'for=192.0.2.66;host="a,for=127.0.0.1' }).address, 'unknown');
  });

  test('is unknown if the two kinds of header disagree, because the client may have sent one', () => {
    assert.equal(ask({ 'x-forwarded-for': '192.0.2.66', forwarded: 'for=127.0.0.1' }).address, 'unknown');
    assert.equal(ask({ 'x-forwarded-for': '127.0.0.1', forwarded: 'for=192.0.2.66' }).address, 'unknown');
    assert.equal(ask({ 'x-forwarded-for': '192.0.2.66', forwarded: 'for=192.0.2.66' }).address, '192.0.2.66');
  });

  test('over a Unix socket is this machine, and may name the real one', () => {
    const unix = (headers: Record<string, string>) => {
      const socket = new Socket();
      recordConnection(socket, true);
      return getClientInfo({ socket, headers } as unknown as IncomingMessage, createAddressMatcher([]));
    };
    assert.equal(unix({}).address, 'unix');
    assert.equal(isAllowedClient(createAddressMatcher(['127.0.0.0/8']), unix({})), true);
    assert.equal(isAllowedClient(createAddressMatcher(['192.0.2.0/24']), unix({})), false);
    assert.equal(unix({ 'x-forwarded-for': '192.0.2.7' }).address, '192.0.2.7');
  });

  test('over TCP is never taken for a Unix socket after it disconnected', () => {
    const socket = new Socket();
    recordConnection(socket, false);
    const headers = { 'x-forwarded-for': '127.0.0.1' };
    assert.equal(
      getClientInfo({ socket, headers } as unknown as IncomingMessage, proxies).address,
      'unknown',
    );
  });

  test('never looks like a trusted address when it is behind one proxy, whatever it sends', () => {
    const junk = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '127.0.0.1',
        '::1',
        'for=127.0.0.1',
        '"',
        ',',
        ';',
        'for="',
        '\\',
        '10.0.0.1',
        ' ',
        '[::1]:1',
      ),
    );
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 8 }), fc.boolean(), (parts, rfc) => {
        const sent = parts.join('');
        const name = rfc ? 'forwarded' : 'x-forwarded-for';
        const added = rfc ? 'for=192.0.2.66' : '192.0.2.66';
        const { address } = ask({ [name]: `${sent}, ${added}` });
        assert.ok(address === '192.0.2.66' || address === 'unknown', `${sent} made ${address}`);
      }),
    );
  });
});

describe('a host', () => {
  test('is normalized', () => {
    assert.equal(parseHost('Upload.Example.ORG', 'https'), 'upload.example.org');
    assert.equal(parseHost('a.example:443', 'https'), 'a.example');
    assert.equal(parseHost('a.example:80', 'http'), 'a.example');
    assert.equal(parseHost('a.example:443', 'http'), 'a.example:443');
    assert.equal(parseHost('[::1]:5050', 'http'), 'localhost:5050');
  });

  test('that is not safe in a URL is ignored', () => {
    for (const host of [
      undefined,
      '',
      '.',
      'a..b',
      'a.example:0',
      'a.example:65536',
      'a.example:',
      'a b',
      'a/b',
      'user@a.example',
      'a.example\r\nX: y',
      'a%2eb',
      'é.example',
      '<b>',
      '[2001:db8::1]:5050',
      '127.1',
      'a.0x7f',
      'a'.repeat(300),
    ]) {
      assert.equal(parseHost(host, 'http'), undefined, String(host));
    }
  });

  test('has only characters that no server encodes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webAuthority({ withPort: true })), (text) => {
        const host = parseHost(text, 'http');
        if (host === undefined) return;
        assert.match(host, /^[a-z0-9_.:-]+$/);
        assert.equal(new URL(`http://${host}/x`).host, host);
      }),
    );
  });
});
