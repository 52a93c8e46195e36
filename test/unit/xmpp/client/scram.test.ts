import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { preparePassword } from '../../../../src/xmpp/client/sasl.ts';
import { createScramClient, ScramError, type ScramOffer } from '../../../../src/xmpp/client/scram.ts';

const USER = { name: 'user', password: 'pencil' };

describe('SCRAM', () => {
  test('with SHA-1 produces and accepts the messages of RFC 5802 §5', async () => {
    const nonce = 'fyko+d2lbbFgONRv9qkxdawL';
    const nonceOfBoth = `${nonce}3rfcNHYJY1ZVvWVs7j`;
    const scram = createScramClient('sha1', USER, { clientNonce: nonce });
    assert.equal(scram.clientFirst, `n,,n=user,r=${nonce}`);
    assert.equal(
      await scram.respond(`r=${nonceOfBoth},s=QSXCR+Q6sek8bf92,i=4096`),
      `c=biws,r=${nonceOfBoth},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=`,
    );
    scram.verifyServerFinal('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
    assert.throws(() => scram.verifyServerFinal('v=AAF9pqV8S7suAoZWja4dJRkFsKQ='), ScramError);
  });

  test('with SHA-256 produces and accepts the messages of RFC 7677 §3', async () => {
    const nonce = 'rOprNGfwEbeRWgbNEkqO';
    const nonceOfBoth = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
    const scram = createScramClient('sha256', USER, { clientNonce: nonce });
    assert.equal(
      await scram.respond(`r=${nonceOfBoth},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`),
      `c=biws,r=${nonceOfBoth},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    scram.verifyServerFinal('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  test('rejects a final message without a valid server signature', async () => {
    const scram = createScramClient('sha256', USER, { clientNonce: 'abc' });
    assert.throws(() => scram.verifyServerFinal('v='), ScramError);
    await scram.respond('r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096');
    for (const serverFinal of ['', 'v=', 'e=other-error', 'v=AAAA'])
      assert.throws(() => scram.verifyServerFinal(serverFinal), ScramError);
  });

  test('rejects iteration counts that are too low or too high', async () => {
    for (const iterations of ['1', '4095', '1000001', '99999999999', '-5', '4e3']) {
      const scram = createScramClient('sha256', USER, { clientNonce: 'abc' });
      await assert.rejects(
        scram.respond(`r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${iterations}`),
        ScramError,
        iterations,
      );
    }
  });

  test('rejects a nonce that does not extend the nonce of the client', async () => {
    for (const nonce of ['abc', 'xbcd', 'ab']) {
      const scram = createScramClient('sha256', USER, { clientNonce: 'abc' });
      await assert.rejects(scram.respond(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`), ScramError, nonce);
    }
  });

  test('escapes = and , in user names', () => {
    const scram = createScramClient('sha1', { name: 'a=b,c', password: 'x' }, { clientNonce: 'n' });
    assert.equal(scram.clientFirst, 'n,,n=a=3Db=2Cc,r=n');
  });
});

describe('SCRAM with the hash of the offer (XEP-0474)', () => {
  const offer = { mechanisms: ['SCRAM-SHA-256', 'PLAIN', 'SCRAM-SHA-1'], bindingTypes: [] };
  const respond = (text: string, received: ScramOffer) => {
    const hash = createHash('sha256').update(text).digest('base64');
    const scram = createScramClient('sha256', USER, { clientNonce: 'abc', offer: received });
    return scram.respond(`r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,h=${hash}`);
  };
  const plain = 'PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256';

  test('goes on if the offer arrived unchanged', async () => {
    assert.match(await respond(plain, offer), /^c=biws,r=abcd,p=/);
    const bound = { ...offer, bindingTypes: ['tls-server-end-point', 'tls-exporter'] };
    assert.match(await respond(`${plain}\x1ftls-exporter\x1etls-server-end-point`, bound), /^c=biws/);
  });

  test('ends if somebody has taken methods or types of channel binding out of the offer', async () => {
    await assert.rejects(respond(`${plain}\x1eSCRAM-SHA-512`, offer), /were changed in transit/);
    await assert.rejects(respond(`${plain}\x1ftls-exporter`, offer), /were changed in transit/);
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
    test(`${JSON.stringify(given)} is prepared as in RFC 4013`, () => {
      assert.equal(preparePassword(given), prepared);
    });
  }
});
