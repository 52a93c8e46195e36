import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cleanFileName, encodeForUrl, MAX_NAME_BYTES, slug } from '../../../src/policy/file-names.ts';

/** Names as clients send them, and as they are stored, shown and saved. */
const CLEANED: readonly (readonly [given: string, cleaned: string])[] = [
  ['très cool.jpg', 'très cool.jpg'],
  ['Перечень юр лиц и услуг.xlsx', 'Перечень юр лиц и услуг.xlsx'],
  ['日本語の報告書.pdf', '日本語の報告書.pdf'],
  ['تقرير.docx', 'تقرير.docx'],
  ['Übergröße+%20 & co.jpg', 'Übergröße+%20 & co.jpg'],
  ['e\u0301.txt', 'e\u0301.txt'],
  ['😀👩‍🚀❤️.gif', '😀👩🚀❤️.gif'],
  ['.htaccess', '.htaccess'],
  [`${'体'.repeat(90)}.docx`, `${'体'.repeat(78)}.docx`],
  [`${'a'.repeat(300)}`, 'a'.repeat(240)],
  [`${'x'.repeat(300)}.JPEG`, `${'x'.repeat(235)}.JPEG`],
  ['/storage/emulated/0/a.jpg', 'a.jpg'],
  ['C:\\Users\\me\\a.jpg', 'a.jpg'],
  ['../../etc/passwd', 'passwd'],
  ['folder/', 'folder'],
  ['\u202Egpj.exe', 'gpj.exe'],
  ['a\u200Bb\uFEFFc\u2066d.txt', 'abcd.txt'],
  ['a\0b\nc\u007fd.txt', 'ab cd.txt'],
  ['a\u2028b.txt', 'a b.txt'],
  ['a\ud800b\udc00.txt', 'ab.txt'],
  [' a b.txt\u00a0', 'a b.txt'],
];

/** Names of which nothing is left. */
const EMPTY = ['', ' ', '.', '..', '...', '/', '//', '\\', '\u202E', '\ud800', 'a/..', '\0'];

describe('a file name', () => {
  for (const [given, cleaned] of CLEANED) {
    const title = JSON.stringify(given.length > 40 ? `${given.slice(0, 10)}… (${given.length})` : given);
    test(`${title} is kept, or cleaned and never refused`, () => {
      assert.equal(cleanFileName(given, 'jpg'), cleaned);
    });
  }

  test('of which nothing is left becomes "file" with the usual extension of the type', () => {
    for (const name of EMPTY) {
      assert.equal(cleanFileName(name, 'jpg'), 'file.jpg', JSON.stringify(name));
      assert.equal(cleanFileName(name), 'file', JSON.stringify(name));
    }
  });

  test('is cleaned in the same way with and without a slash before it', () => {
    const character = fc.constantFrom(...' ..ab-[]^/\\~é\u202E\t', 'x'.repeat(254));
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 12 }), (name) => {
        assert.equal(cleanFileName(name, 'jpg'), cleanFileName(`/${name}`, 'jpg'));
      }),
      { numRuns: 2000 },
    );
  });

  test('is shortened between characters as a reader sees them', () => {
    const name = cleanFileName(`${'🧑🏽'.repeat(60)}.png`);
    assert.match(name, /^(?:🧑🏽)+\.png$/u);
    const marks = cleanFileName(`a${'\u0301'.repeat(400)}.png`);
    assert.ok(Buffer.byteLength(marks) <= 255 && marks.endsWith('.png') && marks.isWellFormed());
  });

  test('is cleaned to a name that stays the same, fits every file system and shows no other order', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.string({ unit: 'grapheme', maxLength: 400 }),
      fc
        .array(fc.constantFrom('/', '\\', '.', ' ', '\ud800', '\u202E', 'é', '.jpg', '\u200d', '体'))
        .map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (name) => {
        const cleaned = cleanFileName(name);
        assert.equal(cleanFileName(cleaned), cleaned);
        assert.ok(Buffer.byteLength(cleaned) <= MAX_NAME_BYTES && cleaned.isWellFormed());
        assert.doesNotMatch(cleaned, /^\.*$|^\s|\s$|[/\\\p{Cc}\p{Bidi_Control}]/u);
        assert.equal(decodeURIComponent(encodeForUrl(cleaned)), cleaned);
        assert.match(encodeForUrl(cleaned), /^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/);
      }),
    );
  });
});

describe('the ASCII name in a URL', () => {
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
