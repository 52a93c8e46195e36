import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findSignedType, parseUploadSignature } from '../../src/http/signed-links/hmac-signature.ts';
import { verifyUploadToken } from '../../src/http/signed-links/upload-token.ts';
import { parseSignedPath } from '../../src/policy/signed-path.ts';
import vectors from '../fixtures/signed-links.json' with { type: 'json' };
import { fuzzTest } from './fuzz.ts';

const SECRET = 'a secret of the XMPP server';
const SIZE = 100;
const PATH = 'some-id/picture.png';

function signed(scheme: 'v' | 'v2', path: string, type: string): string {
  const text = scheme === 'v' ? `${path} ${SIZE}` : `${path}\0${SIZE}\0${type}`;
  return `${scheme}=${createHmac('sha256', SECRET).update(text, 'latin1').digest('hex')}`;
}

/** Returns whether a PUT of this path and query is accepted. */
function accepts(rawPath: string, query: string): boolean {
  const path = parseSignedPath(rawPath);
  const signature = parseUploadSignature(query);
  if (typeof path === 'string' || signature === undefined) return false;
  return findSignedType([SECRET], signature, { path, size: SIZE, type: 'image/png' }) !== undefined;
}

describe('a signed link', () => {
  fuzzTest({
    name: 'signed-path',
    tokens: ['/', '%', '%2f', '%00', '..', '.', 'a', '%C3%A9', '\xc3\xa9', '+', ' ', '\0', '?', '#', '%25'],
    check(input) {
      const path = parseSignedPath(input);
      if (typeof path === 'string') return;
      assert.doesNotMatch(path.name, /[/\p{Cc}]/u);
      // A signature is valid only for the path that was signed, byte for byte.
      const isSame = path.bytes.equals(Buffer.from(PATH));
      assert.equal(accepts(input, signed('v', PATH, '')), isSame);
      assert.equal(accepts(input, signed('v2', PATH, 'image/png')), isSame);
    },
  });

  fuzzTest({
    name: 'signed-query',
    tokens: ['v=', 'v2=', 'token=', '&', '=', '%30', '0', 'a', 'f'.repeat(64), '+', '\0', ';'],
    check(input) {
      assert.equal(accepts(PATH, input), false);
    },
  });
});

describe('an upload token', () => {
  const { secret, jwt, claims } = vectors.fileShare;
  const now = claims.iat * 1000;

  test('that is changed in any place grants nothing, or the same as before', () => {
    const before = verifyUploadToken(jwt, [secret], now);
    assert.equal(typeof before, 'object');
    const character = fc.constantFrom(...'aZ09-_.=+/ é\0{'.split(''));
    fc.assert(
      fc.property(
        fc.nat(jwt.length),
        fc.nat(3),
        fc.string({ unit: character, maxLength: 4 }),
        (at, length, text) => {
          const result = verifyUploadToken(jwt.slice(0, at) + text + jwt.slice(at + length), [secret], now);
          // The last character of the signature has unused bits.
          if (typeof result === 'object') assert.deepEqual(result, before);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('whose claims are any JSON is refused or has claims of the right types', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(-1, 0.5, Number.POSITIVE_INFINITY, '', null, 1e15, Number.MAX_SAFE_INTEGER),
    );
    const names = ['sub', 'slot', 'filename', 'filesize', 'filetype', 'exp', 'expires', 'nbf', '__proto__'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (changes) => {
        const payload = Buffer.from(JSON.stringify({ ...claims, ...changes })).toString('base64url');
        const text = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${payload}`;
        const token = `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
        const result = verifyUploadToken(token, [secret], now);
        if (typeof result === 'string') return;
        assert.ok(Number.isSafeInteger(result.filesize) && result.filesize >= 0);
        assert.ok(Number.isSafeInteger(result.exp) && result.exp > now);
        for (const field of ['sub', 'slot', 'filename', 'filetype'] as const)
          assert.equal(typeof result[field], 'string');
      }),
      { numRuns: 1000 },
    );
  });
});
