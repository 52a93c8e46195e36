import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mediaTypesForName, parseMediaType } from '../../../src/policy/media-type.ts';

describe('the type of a file by its name', () => {
  test('is the usual one first', () => {
    for (const [name, type] of [
      ['a.jpg', 'image/jpeg'],
      ['A.JPG', 'image/jpeg'],
      ['a.b.png', 'image/png'],
      ['a.m4a', 'audio/mp4'],
      ['a.pdf', 'application/pdf'],
      ['a.webm', 'video/webm'],
      // From phones.
      ['IMG_1.HEIC', 'image/heic'],
      ['a.heif', 'image/heif'],
      ['a.avif', 'image/avif'],
      ['a.jxl', 'image/jxl'],
      ['a.opus', 'audio/ogg'],
      ['a.oga', 'audio/ogg'],
      ['a.3gp', 'video/3gpp'],
      ['a.3ga', 'audio/3gpp'],
      ['a.amr', 'audio/amr'],
      ['a.aac', 'audio/aac'],
      ['a.weba', 'audio/webm'],
      ['game.xdc', 'application/webxdc+zip'],
    ] as const) {
      assert.equal(mediaTypesForName(name)[0], type, name);
    }
  });

  test('can be added or replaced by the admin', () => {
    const types = { xyz: 'chemical/x-xyz', webm: 'audio/webm' };
    assert.deepEqual(mediaTypesForName('a.XYZ', types), ['chemical/x-xyz']);
    assert.deepEqual(mediaTypesForName('a.webm', types), ['audio/webm', 'video/webm']);
    assert.deepEqual(mediaTypesForName('a.constructor', types), []);
  });

  test('is empty for an unknown extension', () => {
    for (const name of ['a', 'jpg', '.', '', 'a.doesnotexist', 'a.constructor', 'a.jpg ']) {
      assert.deepEqual(mediaTypesForName(name), [], name);
    }
  });

  test('can always be served', () => {
    fc.assert(
      fc.property(fc.string(), (ending) => {
        for (const type of mediaTypesForName(`x.${ending}`)) assert.equal(parseMediaType(type), type);
      }),
    );
  });
});
