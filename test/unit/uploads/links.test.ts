import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { randomId } from '../../../src/base/ids.ts';
import { mediaTypesForName } from '../../../src/policy/media-type.ts';
import { blobKey, blobUrl, idInBlobPath } from '../../../src/uploads/links.ts';

const ID = '5v1hq0cmvd0zjmf7w8h8k6f6ra';

describe('the key of a blob', () => {
  for (const [name, type, ending] of [
    ['a.jpg', 'image/jpeg', 'jpg'],
    ['A.JPEG', 'image/jpeg', 'jpeg'],
    ['a.jpg', undefined, 'jpg'],
    ['a', undefined, 'bin'],
    ['page.html', 'image/png', 'png'],
    ['picture.png', 'text/html', 'html'],
    ['notes', 'text/plain', 'txt'],
    ['notes.txt', 'text/plain; charset=utf-8', 'txt'],
    ['a.jpg', 'application/octet-stream', 'bin'],
    ['a.jpg', 'image/x-unknown', 'bin'],
    ['drawing.png', 'image/svg+xml', 'svg'],
  ] as const) {
    test(`of ${name} that is ${type ?? 'of unknown type'} ends with ${ending}`, () => {
      assert.equal(blobKey(ID, name, type), `ra/${ID}.${ending}`);
    });
  }

  test('never has an extension that is served as another type than the declared one', () => {
    const types = fc.constantFrom(
      'image/png',
      'text/html',
      'image/svg+xml',
      'video/mp4',
      'application/pdf',
      'x/y',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), types, (name, type) => {
        const served = mediaTypesForName(blobKey(ID, name, type));
        assert.ok(served.includes(type) || served.includes('application/octet-stream'), String(served));
      }),
    );
  });
});

describe('a blob URL', () => {
  test('consists of base, blob key and slug, in characters that are never percent-encoded', () => {
    const blob = blobKey(ID, 'Très cool (1).jpg', 'image/jpeg');
    const url = blobUrl('https://files.example.org', { id: ID, name: 'Très cool (1).jpg', blob });
    assert.equal(url, `https://files.example.org/ra/${ID}.jpg/Tres_cool_1.jpg`);
  });

  test('contains the id, whatever the file name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '/base'), (name, base) => {
        const id = randomId();
        const url = blobUrl(`https://files.example.org${base}`, {
          id,
          name,
          blob: blobKey(id, name, 'image/png'),
        });
        assert.match(url, /^[A-Za-z0-9_.\-/:]+$/);
        assert.equal(idInBlobPath(new URL(url).pathname), id);
      }),
    );
  });

  test('is not recognized in other paths', () => {
    for (const path of [
      `/${ID}`,
      `/5v/${ID}`,
      `/5v/${ID}.png/a/b`,
      `/5v/${ID}.part.png`,
      `/put/${ID}/a.png`,
    ]) {
      assert.equal(idInBlobPath(path), undefined, path);
    }
  });
});
