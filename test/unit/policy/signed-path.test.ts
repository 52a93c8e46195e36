import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseSignedPath, type SignedPath, signedLocator } from '../../../src/policy/signed-path.ts';
import vectors from '../../fixtures/signed-links.json' with { type: 'json' };

function read(raw: string): SignedPath {
  const path = parseSignedPath(raw);
  assert.ok(typeof path === 'object', `${raw}: ${String(path)}`);
  return path;
}

/** Returns a path as the HTTP parser does: one character per byte. */
const onTheWire = (text: string) => Buffer.from(text).toString('latin1');
const encode = (text: string, hex: 'upper' | 'lower') =>
  [...Buffer.from(text)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .map((byte) => `%${hex === 'upper' ? byte.toUpperCase() : byte}`)
    .join('');
const encodeSegments = (path: string, hex: 'upper' | 'lower') =>
  path
    .split('/')
    .map((segment) => encode(segment, hex))
    .join('/');

describe('the path of a signed link', () => {
  for (const { name, external, fileShare } of vectors.prosody.names) {
    test(`is the same however a server or client encodes ${JSON.stringify(name)}`, () => {
      const forms = [
        external,
        fileShare,
        encode(name, 'upper'),
        encode(name, 'lower'),
        // slixmpp decodes unreserved characters; ejabberd 25.10 and later encode nothing.
        fileShare.replaceAll('%28', '(').replaceAll('%29', ')'),
        ...(/[%?#]/.test(name) ? [] : [onTheWire(name)]),
      ];
      for (const form of forms) {
        const path = read(`${vectors.prosody.uuid}/${form}`);
        assert.equal(path.bytes.toString(), `${vectors.prosody.uuid}/${name}`, form);
        assert.equal(path.name, name);
        assert.deepEqual(path.segments, [vectors.prosody.uuid, name]);
      }
    });
  }

  test('keeps a plus, and does not normalize Unicode', () => {
    assert.equal(read('u/a+b%2Bc').name, 'a+b+c');
    assert.notDeepEqual(read('u/%C3%A9').bytes, read('u/e%CC%81').bytes);
  });

  test('keeps dot segments, because it is never used as a file path', () => {
    for (const text of ['../../etc/passwd', 'u/..', 'u/.', 'u//x', 'u/', './x', 'a/b/c/d/e']) {
      assert.equal(read(text).bytes.toString(), text);
      assert.equal(read(encodeSegments(text, 'lower')).bytes.toString(), text);
    }
  });

  test('has a valid file name, or "file" if the last segment is not one', () => {
    for (const raw of ['u/', 'u/..', 'u/.', 'u/%20', 'u/%C2%85']) assert.equal(read(raw).name, 'file', raw);
    assert.equal(read('u/%FF.jpg').name, '\u{FFFD}.jpg');
  });

  test('is refused with NUL, an encoded slash, control bytes and broken encodings', () => {
    for (const raw of [
      '',
      'u/a%00b',
      'u/a%2Fb',
      'u/a%2fb',
      'u/a%0Ab',
      'u/a%0D%0AX: y',
      'u/a%1f',
      'u/a%7F',
      'u/a\x7f',
      'u/a%',
      'u/a%4',
      'u/a%zz',
      'u/a%+1',
      'u/a%u0041',
      'u/\u{20AC}',
    ]) {
      assert.equal(parseSignedPath(raw), 'malformed', JSON.stringify(raw));
    }
  });

  test('may have any name, which is shortened to what file systems store', () => {
    assert.equal(read(`u/${'x'.repeat(300)}.jpg`).name, `${'x'.repeat(236)}.jpg`);
    assert.equal(read(`u/${encode('日'.repeat(90), 'upper')}`).name, '日'.repeat(80));
    assert.equal(parseSignedPath(`${'u/'.repeat(3000)}x`), 'too_long');
  });

  test('decodes to exactly the bytes that were encoded', () => {
    const segment = fc
      .uint8Array({ min: 0x20, maxLength: 60 })
      .map((bytes) => bytes.filter((b) => b !== 0x2f && b !== 0x7f));
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.nat(2)),
        (segments, coin) => {
          const bytes = Buffer.concat(
            segments.flatMap((part, i) => (i === 0 ? [part] : [Buffer.from('/'), part])),
          );
          const raw = [...bytes].map((byte) => spell(byte, coin.next().value)).join('');
          const path = parseSignedPath(raw);
          if (bytes.length === 0) assert.equal(path, 'malformed');
          else if (path !== 'too_long') assert.deepEqual([...(path as SignedPath).bytes], [...bytes]);
        },
      ),
    );
  });

  test('never throws, and never accepts a control byte or an empty path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (raw) => {
        const path = parseSignedPath(raw);
        if (typeof path === 'string') return;
        assert.ok(path.bytes.length > 0 && path.bytes.every((byte) => byte >= 0x20 && byte !== 0x7f));
        assert.ok(path.name !== '' && !/[/\p{Cc}]/u.test(path.name));
      }),
    );
  });
});

/** A byte unencoded, if a path may contain it so, or as upper-case or lower-case hex. */
function spell(byte: number, how: number): string {
  const hex = `%${byte.toString(16).padStart(2, '0')}`;
  const plain = String.fromCharCode(byte);
  if (plain === '/') return plain;
  if (how === 0 && plain !== '%') return plain;
  return how === 1 ? hex : hex.toUpperCase();
}

describe('the locator of a signed link', () => {
  test('is the endpoint and the SHA-256 of the decoded path, as in the file names of share.php', () => {
    const hash = 'e9b72ac22bb20de5ffd07f9179eb6ff0f5723dc656e19a1cf4fd1f8cd8ed3d70';
    assert.equal(signedLocator('external', read('foo/bar.jpg')), `external:${hash}`);
    assert.equal(
      signedLocator('external', read('foo/b%61r.jpg')),
      signedLocator('external', { bytes: Buffer.from('foo/bar.jpg') }),
    );
    assert.notEqual(signedLocator('external', read('a/b')), signedLocator('file_share', read('a/b')));
  });
});
