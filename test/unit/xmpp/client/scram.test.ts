import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { preparePassword } from '../../../../src/xmpp/client/saslprep.ts';
import { createScramClient, ScramError } from '../../../../src/xmpp/client/scram.ts';

const USER = { name: 'user', password: 'pencil' };

describe('SCRAM', () => {
  test('with SHA-1 says and believes what RFC 5802 §5 has', async () => {
    const nonce = 'fyko+d2lbbFgONRv9qkxdawL';
    const both = `${nonce}3rfcNHYJY1ZVvWVs7j`;
    const scram = createScramClient('sha1', USER, nonce);
    assert.equal(scram.clientFirst, `n,,n=user,r=${nonce}`);
    assert.equal(
      await scram.respond(`r=${both},s=QSXCR+Q6sek8bf92,i=4096`),
      `c=biws,r=${both},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=`,
    );
    scram.verifyServerFinal('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
    assert.throws(() => scram.verifyServerFinal('v=AAF9pqV8S7suAoZWja4dJRkFsKQ='), ScramError);
  });

  test('with SHA-256 says and believes what RFC 7677 §3 has', async () => {
    const nonce = 'rOprNGfwEbeRWgbNEkqO';
    const both = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
    const scram = createScramClient('sha256', USER, nonce);
    assert.equal(
      await scram.respond(`r=${both},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`),
      `c=biws,r=${both},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    scram.verifyServerFinal('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  test('believes no server that has not been asked for its proof, or sends none', async () => {
    const scram = createScramClient('sha256', USER, 'abc');
    assert.throws(() => scram.verifyServerFinal('v='), ScramError);
    await scram.respond('r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096');
    for (const said of ['', 'v=', 'e=other-error', 'v=AAAA'])
      assert.throws(() => scram.verifyServerFinal(said), ScramError);
  });

  test('does too little work for no server, and too much for none', async () => {
    for (const rounds of ['1', '4095', '1000001', '99999999999', '-5', '4e3']) {
      const scram = createScramClient('sha256', USER, 'abc');
      await assert.rejects(
        scram.respond(`r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${rounds}`),
        ScramError,
        rounds,
      );
    }
  });

  test('goes on with no nonce but its own, made longer', async () => {
    for (const nonce of ['abc', 'xbcd', 'ab']) {
      const scram = createScramClient('sha256', USER, 'abc');
      await assert.rejects(scram.respond(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`), ScramError, nonce);
    }
  });

  test('writes names so that no comma in them ends them', () => {
    const scram = createScramClient('sha1', { name: 'a=b,c', password: 'x' }, 'n');
    assert.equal(scram.clientFirst, 'n,,n=a=3Db=2Cc,r=n');
  });
});

describe('a password', () => {
  // RFC 4013 §3.
  const samples: readonly [string, string | undefined][] = [
    ['I\u{ad}X', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u{aa}', 'a'],
    ['\u{2168}', 'IX'],
    ['\u{7}', undefined],
    ['a\u{a0}b', 'a b'],
    ['a\u{2003}b', 'a b'],
    ['', undefined],
    ['\u{ad}', undefined],
    ['\u{fdd0}', undefined],
    ['\u{e000}', undefined],
    ['\ud800', undefined],
    ['p\u{308}ässwörd', 'p\u{308}ässwörd'.normalize('NFKC')],
  ];
  for (const [given, prepared] of samples) {
    test(`${JSON.stringify(given)} is prepared as RFC 4013 has it`, () => {
      assert.equal(preparePassword(given), prepared);
    });
  }
});
