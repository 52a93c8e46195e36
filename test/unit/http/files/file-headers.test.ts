import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { contentDisposition } from '../../../../src/http/files/file-headers.ts';

/** Matches exactly the syntax of RFC 6266 with RFC 8187. */
const GRAMMAR =
  /^attachment; filename="([ !#-[\]-~]*)"; filename\*=UTF-8''((?:[!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-F]{2})*)$/;

describe('Content-Disposition', () => {
  test('keeps every name exactly, and no name breaks out of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const match = GRAMMAR.exec(contentDisposition('attachment', name));
        assert.ok(match, JSON.stringify(name));
        assert.equal(decodeURIComponent(match[2] ?? ''), name.toWellFormed());
        assert.ok(!/["%\\]/.test(match[1] ?? ''));
      }),
    );
  });

  test('has an ASCII form that a person recognises', () => {
    assert.equal(
      contentDisposition('inline', 'Übung "1" für 100%.pdf'),
      `inline; filename="Ubung _1_ fur 100_.pdf"; filename*=UTF-8''%C3%9Cbung%20%221%22%20f%C3%BCr%20100%25.pdf`,
    );
  });

  test('accepts a lone surrogate', () => {
    assert.match(contentDisposition('attachment', 'a\ud800b'), GRAMMAR);
  });
});
