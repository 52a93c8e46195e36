import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  authenticateChallenge,
  parseAuthorization,
  parseBearerToken,
  requireCredentials,
} from '../../../../src/http/common/authorization.ts';

const basic = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the Authorization header', () => {
  test('gives a bearer token, whatever the case of its scheme', () => {
    assert.equal(parseBearerToken('Bearer a.b.c'), 'a.b.c');
    assert.equal(parseBearerToken('bearer  a.b.c '), 'a.b.c');
    for (const none of [undefined, '', 'Bearer', 'Bearer ', 'Basic a.b.c', 'a.b.c', 'Bearer a b']) {
      assert.equal(parseBearerToken(none), undefined, String(none));
    }
    assert.deepEqual(parseAuthorization('BEARER s3cret'), { kind: 'bearer', token: 's3cret' });
  });

  test('gives a JID and its password, which may have colons', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, password) => {
        const jid = name.replaceAll(':', '').toWellFormed();
        const whole = password.toWellFormed();
        const read = parseAuthorization(basic(`${jid}:${whole}`));
        assert.deepEqual(read, { kind: 'basic', jid, password: whole });
      }),
    );
  });

  test('is reported as missing or malformed', () => {
    for (const none of [undefined, '', '  ']) assert.equal(parseAuthorization(none), 'missing');
    const wrong = ['Digest a', 'Basic', 'Basic ***', 'Bearer a b', 'me:secret', basic('nocolon')];
    for (const text of [...wrong, basic(Buffer.from([0xff, 0x3a, 0x61]))]) {
      assert.equal(parseAuthorization(text), 'malformed', text);
    }
  });

  test('is refused with different codes if it is missing and if it is malformed, as mod_rest does', () => {
    assert.throws(() => requireCredentials(undefined), { code: 'unauthorized' });
    assert.throws(() => requireCredentials('Digest a'), { code: 'credentials_wrong' });
  });

  test('never makes the parser throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAuthorization(text)));
  });

  test('is requested with both schemes, Basic first', () => {
    assert.equal(authenticateChallenge('msg'), 'Basic realm="msg", charset="UTF-8", Bearer realm="msg"');
  });
});
