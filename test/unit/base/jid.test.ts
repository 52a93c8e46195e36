import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatBareJid, parseBareJid, parseJid } from '../../../src/base/jid.ts';

/** Text that looks like a JID often enough to get past the first check. */
const jidLike = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc
    .tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))
    .map(([local, domain, resource]) => `${local}@${domain}/${resource}`),
  fc.string({ unit: fc.constantFrom('a', 'B', '@', '/', '.', 'İ', '＠', '．', '／', 'ß', 'Å', ' ') }),
);

describe('JIDs', () => {
  test('come apart into their parts', () => {
    assert.deepEqual(parseJid('Romeo@Example.ORG/Orchard'), {
      local: 'romeo',
      domain: 'example.org',
      resource: 'Orchard',
    });
    assert.deepEqual(parseJid('upload.example.org'), {
      local: '',
      domain: 'upload.example.org',
      resource: '',
    });
    assert.deepEqual(parseJid('example.org./a/b@c'), { local: '', domain: 'example.org', resource: 'a/b@c' });
    assert.equal(parseBareJid('Romeo@example.org/x'), 'romeo@example.org');
    assert.equal(parseBareJid('example.org/x'), 'example.org');
  });

  test('are the same owner however they are written', () => {
    assert.equal(parseBareJid('ROMEO@EXAMPLE.ORG'), parseBareJid('romeo@example.org'));
    assert.equal(parseBareJid('ａlice@example.org'), 'alice@example.org');
    assert.equal(parseBareJid('a\u030angstrom@example.org'), parseBareJid('\u00e5ngstrom@example.org'));
  });

  test('are none where a server would refuse them', () => {
    const none = [
      '',
      '@',
      '@example.org',
      'a@',
      'a@b/',
      '/r',
      'a b@c',
      'a@b c',
      'a@b@c',
      'a<b@c',
      "a'b@c",
      'a\n@b',
    ];
    for (const text of [...none, '.', 'a@.b', 'a@b..c', 'a＠b@c', `${'x'.repeat(1024)}@b`]) {
      assert.equal(parseJid(text), undefined, JSON.stringify(text));
    }
  });

  test('fold once: what was folded folds to itself, and nothing makes it throw', () => {
    fc.assert(
      fc.property(jidLike, (text) => {
        const jid = parseJid(text);
        if (!jid) return;
        const bare = formatBareJid(jid);
        assert.equal(parseBareJid(bare), bare);
      }),
      { numRuns: 1000 },
    );
  });

  test('never keep what could end a stanza, a log line or a path', () => {
    fc.assert(
      fc.property(jidLike, (text) => {
        const jid = parseJid(text);
        if (jid) assert.doesNotMatch(jid.local + jid.domain, /["'<>&/\s\p{Cc}]/u);
      }),
      { numRuns: 1000 },
    );
  });
});
