import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkFileName, slug } from '../../../src/policy/file-names.ts';

describe('file names', () => {
  test('of all scripts are valid', () => {
    for (const name of [
      'très cool.jpg',
      'a+b 100%.txt',
      'Foto (1).JPG',
      '日本語.pdf',
      '😀.gif',
      'e\u0301.txt',
      '.bashrc',
    ]) {
      assert.equal(checkFileName(name), 'valid', name);
    }
  });

  test('that are paths, have control characters or are empty are invalid', () => {
    for (const name of ['a/b.txt', '..', '.', 'a\0b', 'a\nb', 'a\u007fb', 'a\ud800']) {
      assert.equal(checkFileName(name), 'malformed', JSON.stringify(name));
    }
    assert.equal(checkFileName(''), 'empty');
    assert.equal(checkFileName('   '), 'empty');
  });

  test('have at most 255 bytes, not characters', () => {
    assert.equal(checkFileName('a'.repeat(255)), 'valid');
    assert.equal(checkFileName('a'.repeat(256)), 'too_long');
    assert.equal(checkFileName('é'.repeat(128)), 'too_long');
  });
});

describe('the name in a URL', () => {
  test('is an ASCII form with its extension', () => {
    assert.equal(slug('très cool.jpg'), 'tres_cool.jpg');
    assert.equal(slug('a+b 100%.txt'), 'a_b_100.txt');
    assert.equal(slug('日本語.pdf'), 'file.pdf');
    assert.equal(slug('..'), 'file');
    assert.equal(slug('😀'), 'file');
    assert.equal(slug('archive.tar.gz'), 'archive.tar.gz');
    assert.equal(slug(`${'x'.repeat(300)}.JPEG`).slice(-5), '.jpeg');
  });

  test('has only characters that stay the same when encoded again, and no dot segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const text = slug(name);
        assert.match(text, /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,90}$/);
        assert.ok(!text.includes('..'));
      }),
    );
  });
});
