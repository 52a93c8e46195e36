import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { verifyUploadToken } from '../../../../src/http/signed-links/upload-token.ts';
import vectors from '../../../fixtures/signed-links.json' with { type: 'json' };

const { secret, jwt, claims } = vectors.fileShare;
const NOW = claims.iat * 1000;

const base64url = (text: string) => Buffer.from(text).toString('base64url');

function sign(header: string, payload: string, key = secret): string {
  const text = `${base64url(header)}.${base64url(payload)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

const HEADER = '{"alg":"HS256","typ":"JWT"}';
const token = (change: Record<string, unknown> = {}) =>
  sign(HEADER, JSON.stringify({ ...claims, ...change }));
const read = (text: string, now = NOW) => verifyUploadToken(text, [secret], now);

describe("Prosody's token", () => {
  test('is parsed as in its vector', () => {
    assert.deepEqual(read(jwt), {
      sub: 'user@example.com',
      slot: 'RVbKAgWPcrUYAodj',
      filename: 'picture.png',
      filesize: 7168,
      filetype: 'image/png',
      exp: 1612113460_000,
      expires: 1612717960_000,
    });
  });

  test('may have its claims in any order, and numbers as Lua writes them', () => {
    const payload =
      '{"sub":"a@b","slot":"s","filetype":"","filesize":7168.0,"iat":1612113160.0,"filename":"x","exp":1612113460.0,"expires":1612717960.5}';
    const seen = read(sign('{"typ":"JWT","alg":"HS256"}', payload));
    assert.deepEqual(seen, {
      sub: 'a@b',
      slot: 's',
      filename: 'x',
      filesize: 7168,
      filetype: '',
      exp: 1612113460_000,
      expires: 1612717960_500,
    });
  });

  test('may omit the expiry and the type of the file', () => {
    const seen = read(token({ expires: undefined, filetype: undefined }));
    assert.ok(typeof seen === 'object');
    assert.equal(seen.expires, null);
    assert.equal(seen.filetype, '');
  });

  test('is valid until the exact time in exp', () => {
    assert.equal(typeof read(jwt, claims.exp * 1000 - 1), 'object');
    assert.equal(read(jwt, claims.exp * 1000), 'expired');
  });

  test('is valid with every configured secret and no other', () => {
    assert.equal(typeof verifyUploadToken(jwt, ['new', secret], NOW), 'object');
    assert.equal(verifyUploadToken(jwt, ['new', 'other'], NOW), 'invalid');
    assert.equal(verifyUploadToken(jwt, [], NOW), 'invalid');
  });

  test('must be signed with HS256', () => {
    const payload = JSON.stringify(claims);
    for (const header of [
      '{"alg":"none"}',
      '{"alg":"hs256"}',
      '{"alg":"HS512"}',
      '{"alg":"RS256"}',
      '{"alg":["HS256"]}',
      '{"typ":"JWT"}',
      '{"alg":"HS256","crit":["exp"]}',
    ]) {
      assert.equal(read(sign(header, payload)), 'invalid', header);
    }
  });

  test('is invalid if a claim is missing or has a wrong type', () => {
    for (const change of [
      { sub: undefined },
      { sub: 7 },
      { slot: undefined },
      { filename: null },
      { filesize: undefined },
      { filesize: '7168' },
      { filesize: 7168.5 },
      { filesize: -1 },
      { filesize: 2 ** 53 },
      { filetype: 7 },
      { exp: undefined },
      { exp: '1612113460' },
      { exp: 1e300 },
      { expires: 'never' },
      { expires: -1 },
      { nbf: claims.iat + 1 },
    ]) {
      assert.equal(read(token(change)), 'invalid', JSON.stringify(change));
    }
  });

  test('is malformed if it is not a JWT', () => {
    const [header, payload, signature] = jwt.split('.');
    for (const text of [
      '',
      'x',
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${jwt}.x`,
      `${header}.${payload}=.${signature}`,
      `${header}.${base64url('no json')}.${signature}`,
      `${base64url('[]')}.${payload}.${signature}`,
      `${base64url('null')}.${payload}.${signature}`,
    ]) {
      assert.equal(read(text), 'malformed', text);
    }
  });

  test('is invalid with any character changed', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    // The two lowest bits of the last character are unused.
    fc.assert(
      fc.property(fc.nat(jwt.length - 2), fc.constantFrom(...letters), (at, letter) => {
        fc.pre(jwt[at] !== letter);
        assert.equal(typeof read(jwt.slice(0, at) + letter + jwt.slice(at + 1)), 'string');
      }),
    );
  });

  test('with any claims is refused or complete, and never throws', () => {
    fc.assert(
      fc.property(fc.json(), (payload) => {
        const seen = read(sign(HEADER, payload));
        assert.ok(
          seen === 'malformed' || seen === 'invalid' || seen === 'expired' || typeof seen === 'object',
        );
      }),
    );
  });
});
