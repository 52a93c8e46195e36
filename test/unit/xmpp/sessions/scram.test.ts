import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { preparePassword } from '../../../../src/xmpp/sessions/prepare.ts';
import { ScramFault, startScram } from '../../../../src/xmpp/sessions/scram.ts';

const USER = { name: 'user', password: 'pencil' };

describe('SCRAM', () => {
  test('with SHA-1 says and believes what RFC 5802 §5 has', async () => {
    const nonce = 'fyko+d2lbbFgONRv9qkxdawL';
    const both = `${nonce}3rfcNHYJY1ZVvWVs7j`;
    const scram = startScram('sha1', USER, nonce);
    assert.equal(scram.first, `n,,n=user,r=${nonce}`);
    assert.equal(
      await scram.answer(`r=${both},s=QSXCR+Q6sek8bf92,i=4096`),
      `c=biws,r=${both},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=`,
    );
    scram.verify('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
    assert.throws(() => scram.verify('v=AAF9pqV8S7suAoZWja4dJRkFsKQ='), ScramFault);
  });

  test('with SHA-256 says and believes what RFC 7677 §3 has', async () => {
    const nonce = 'rOprNGfwEbeRWgbNEkqO';
    const both = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
    const scram = startScram('sha256', USER, nonce);
    assert.equal(
      await scram.answer(`r=${both},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`),
      `c=biws,r=${both},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    scram.verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  test('believes no server that has not been asked for its proof, or sends none', async () => {
    const scram = startScram('sha256', USER, 'abc');
    assert.throws(() => scram.verify('v='), ScramFault);
    await scram.answer('r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096');
    for (const said of ['', 'v=', 'e=other-error', 'v=AAAA'])
      assert.throws(() => scram.verify(said), ScramFault);
  });

  test('does too little work for no server, and too much for none', async () => {
    for (const rounds of ['1', '4095', '1000001', '99999999999', '-5', '4e3']) {
      const scram = startScram('sha256', USER, 'abc');
      await assert.rejects(scram.answer(`r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${rounds}`), ScramFault, rounds);
    }
  });

  test('goes on with no nonce but its own, made longer', async () => {
    for (const nonce of ['abc', 'xbcd', 'ab']) {
      const scram = startScram('sha256', USER, 'abc');
      await assert.rejects(scram.answer(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`), ScramFault, nonce);
    }
  });

  test('writes names so that no comma in them ends them', () => {
    const scram = startScram('sha1', { name: 'a=b,c', password: 'x' }, 'n');
    assert.equal(scram.first, 'n,,n=a=3Db=2Cc,r=n');
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
