import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { describe } from 'node:test';
import { getClientInfo, parseHost } from '../../src/http/common/client-info.ts';
import { parseRange } from '../../src/http/files/conditional-request.ts';
import { isShownInline, parseMediaType } from '../../src/policy/media-type.ts';
import { fuzzTest } from './fuzz.ts';

describe('a header of a request', () => {
  fuzzTest({
    name: 'range',
    tokens: ['bytes', '=', '-', ',', ' ', '0', '1', '9', '99999999999999999999'],
    check(input) {
      for (const size of [0, 1, 10, Number.MAX_SAFE_INTEGER]) {
        const range = parseRange(input, size);
        if (range === undefined || range === 'unsatisfiable') continue;
        assert.ok(range.start >= 0 && range.start < range.end && range.end <= size, JSON.stringify(range));
      }
    },
  });

  fuzzTest({
    name: 'forwarded',
    tokens: [
      'for=',
      'host=',
      'proto=',
      '"',
      '\\',
      ',',
      ';',
      '[',
      ']',
      ':',
      '::1',
      '127.0.0.1',
      'unknown',
      'a.example',
      ' ',
    ],
    check(input) {
      for (const header of [
        'forwarded',
        'x-forwarded-for',
        'x-forwarded-host',
        'x-forwarded-proto',
        'host',
      ]) {
        const request = { socket: { remoteAddress: '127.0.0.1' }, headers: { [header]: input } };
        const client = getClientInfo(
          request as unknown as IncomingMessage,
          (address) => address === '127.0.0.1',
        );
        assert.ok(client.address === 'unknown' || isIP(client.address) !== 0, client.address);
        assert.match(client.protocol, /^https?$/);
        if (client.host !== undefined)
          assert.equal(new URL(`${client.protocol}://${client.host}/`).host, client.host);
      }
      assert.equal(parseHost(`${input}/`, 'http'), undefined);
    },
  });

  fuzzTest({
    name: 'media-type',
    tokens: [
      'image/png',
      'text/html',
      '/',
      ';',
      ',',
      '=',
      '"',
      '\\',
      ' ',
      '\t',
      'a',
      'charset=',
      '+xml',
      '*',
      '\r\n',
    ],
    check(input) {
      const type = parseMediaType(input);
      if (type === undefined) return;
      assert.equal(parseMediaType(type), type);
      assert.match(type, /^[!-~][ -~\t]*$/);
      if (/html|xml/.test(type.split(';', 1)[0] ?? '') && /^(?:text\/html|[^;]*[/+]xml)(?:;|$)/.test(type))
        assert.equal(isShownInline(type, ['*/*']), false);
    },
  });
});
