import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { describeInvalidJid, looseJidKey, parseBareJid, parseJid } from '../../../src/base/jid.ts';

const local = (text: string) => parseJid(`${text}@example.org`)?.local;
const resource = (text: string) => parseJid(`a@example.org/${text}`)?.resource;
const domain = (text: string) => parseJid(text)?.domain;

/** Input, and the localpart that RFC 8265 requires; undefined where it forbids the input. */
const LOCALPARTS: readonly (readonly [title: string, input: string, expected: string | undefined])[] = [
  // RFC 8265, section 3.5: examples of valid usernames, and how they compare
  ['ASCII letters', 'juliet@example.com'.slice(0, 6), 'juliet'],
  ['capital ASCII letters', 'Juliet', 'juliet'],
  ['sharp s, which PRECIS does not change', 'fu\u00dfball', 'fu\u00dfball'],
  ['capital sharp s', 'fu\u1e9eball', 'fu\u00dfball'],
  ['Greek pi', '\u03c0', '\u03c0'],
  ['Greek capital sigma', '\u03a3', '\u03c3'],
  ['Greek sigma', '\u03c3', '\u03c3'],
  ['Greek final sigma, which PRECIS keeps apart', '\u03c2', '\u03c2'],
  ['Greek capital sigma at the end of a word', '\u03a3\u0391\u03a3', '\u03c3\u03b1\u03c3'],
  // RFC 8265, section 3.5: invalid usernames
  ['space', 'foo bar', undefined],
  ['Roman numeral four, which has a compatibility mapping', 'henry\u2163', undefined],
  ['infinity, a symbol', '\u221e', undefined],
  // Invisible characters: each would be a new name for one account
  ['soft hyphen', 'ro\u00admeo', undefined],
  ['zero-width joiner without context', 'ro\u200dmeo', undefined],
  ['zero-width non-joiner without context', 'ro\u200cmeo', undefined],
  ['zero-width space', 'ro\u200bmeo', undefined],
  ['word joiner', 'ro\u2060meo', undefined],
  ['variation selector', 'romeo\ufe0f', undefined],
  ['right-to-left override', 'ro\u202emeo', undefined],
  ['combining grapheme joiner', 'ro\u034fmeo', undefined],
  ['tag character', 'romeo\u{e0061}', undefined],
  ['Hangul filler', 'romeo\u3164', undefined],
  // Width and normalization
  ['full-width letters', '\uff4a\uff35liet', 'juliet'],
  ['full-width at sign', 'a\uff20b', undefined],
  ['full-width slash', 'a\uff0fb', undefined],
  ['half-width katakana', '\uff76\uff9e', '\u30ac'],
  ['ideographic space', 'a\u3000b', undefined],
  ['decomposed letter', 'a\u030angstrom', '\u00e5ngstrom'],
  ['angstrom sign', '\u212bngstrom', '\u00e5ngstrom'],
  ['ligature', '\ufb01', undefined],
  ['Turkish capital dotted I', '\u0130', 'i\u0307'],
  ['Cherokee capital letter', '\u13a0', '\uab70'],
  ['Cherokee small letter', '\uab70', '\uab70'],
  // RFC 8264, section 9: categories
  ['unassigned code point', '\u0378', undefined],
  ['noncharacter', '\uffff', undefined],
  ['private use', '\ue000', undefined],
  ['lone surrogate', '\ud800', undefined],
  ['control character', 'a\u0007', undefined],
  ['old Hangul jamo', '\u1100', undefined],
  ['Hangul syllable', '\uac00', '\uac00'],
  ['letter number', '\u16ee', undefined],
  ['Arabic tatweel', '\u0628\u0640', undefined],
  ['ideographic zero, an exception', '\u3007', '\u3007'],
  // Context rules (RFC 5892, appendix A)
  ['joiner after a virama', '\u0915\u094d\u200d\u0937', '\u0915\u094d\u200d\u0937'],
  ['non-joiner between joining Arabic letters', '\u0645\u06cc\u200c\u062e', '\u0645\u06cc\u200c\u062e'],
  ['middle dot between l and l', 'col\u00b7lega', 'col\u00b7lega'],
  ['middle dot elsewhere', 'a\u00b7b', undefined],
  ['Greek keraia before a Greek letter', '\u0375\u03b1', '\u0375\u03b1'],
  ['Greek keraia elsewhere', '\u0375a', undefined],
  ['Hebrew geresh after a Hebrew letter', '\u05d0\u05f3', '\u05d0\u05f3'],
  ['Hebrew geresh elsewhere', 'a\u05f3', undefined],
  ['katakana middle dot with katakana', '\u30ab\u30fb\u30ab', '\u30ab\u30fb\u30ab'],
  ['katakana middle dot alone', 'a\u30fbb', undefined],
  ['Arabic-Indic digits after a letter', '\u0628\u0660', '\u0628\u0660'],
  ['both kinds of Arabic digits', '\u0628\u0660\u06f0', undefined],
  // Bidi Rule (RFC 5893, section 2)
  ['Hebrew', '\u05d0\u05d1', '\u05d0\u05d1'],
  ['Hebrew with a European digit at its end', '\u05d01', '\u05d01'],
  ['Hebrew with a combining mark at its end', '\u05d0\u05b0', '\u05d0\u05b0'],
  ['Hebrew and Latin', '\u05d0a', undefined],
  ['Latin and Hebrew', 'a\u05d0', undefined],
  ['European digit before Hebrew', '1\u05d0', undefined],
  ['Hebrew with a hyphen at its end', '\u05d0-', undefined],
  ['Arabic with both European and Arabic-Indic digits', '\u06281\u0661', undefined],
  ['Arabic-Indic digits alone', '\u0660\u0661', undefined],
];

describe('localparts follow UsernameCaseMapped (RFC 8265)', () => {
  for (const [title, input, expected] of LOCALPARTS) {
    test(title, () => assert.equal(local(input), expected));
  }

  for (const char of '"&\'/:<>@') {
    // A slash begins the resource.
    if (char === '/') continue;
    test(`${char} is refused (RFC 7622, section 3.3.1)`, () => assert.equal(local(`a${char}b`), undefined));
  }
});

describe('resources follow OpaqueString (RFC 8265)', () => {
  test('they keep case, width, spaces and symbols', () => {
    for (const text of ['Balcony', '\uff21', 'a b', '\u265a', 'Pidgin \u2163', '\u05d0a'])
      assert.equal(resource(text), text);
  });

  test('spaces beyond ASCII become spaces, and the text is in NFC', () => {
    assert.equal(resource('a\u00a0b\u3000c'), 'a b c');
    assert.equal(resource('a\u030a'), '\u00e5');
  });

  test('control characters and invisible characters are refused', () => {
    for (const text of [
      'a\u0000',
      'a\u0007',
      'a\nb',
      'a\u0085',
      'a\u00ad',
      'a\u200d',
      'a\ufe0f',
      '\ufffe',
      'a\u2028',
      '\ud800',
    ]) {
      assert.equal(resource(text), undefined, JSON.stringify(text));
    }
  });
});

describe('domains follow IDNA (RFC 5891)', () => {
  test('an A-label, a U-label and other spellings are one domain', () => {
    for (const text of [
      'm\u00fcnchen.example',
      'M\u00dcNCHEN.example',
      'mu\u0308nchen.example',
      'xn--mnchen-3ya.example',
      'XN--MNCHEN-3YA.Example.',
    ]) {
      assert.equal(domain(text), 'm\u00fcnchen.example');
    }
    assert.equal(domain('a\u3002example'), 'a.example');
    assert.equal(domain('\uff41.\uff45xample'), 'a.example');
  });

  test('sharp s stays, as IDNA2008 says', () => {
    assert.equal(domain('stra\u00dfe.example'), 'stra\u00dfe.example');
  });

  test('invisible characters make no second domain', () => {
    assert.equal(domain('exam\u00adple.org'), 'example.org');
    assert.equal(domain('1\u00ad.example'), '1.example');
  });

  test('labels that IDNA forbids are refused', () => {
    for (const text of [
      '\u2603.example',
      'xn--n3h.example',
      'xn--.example',
      'xn--zzzzz999999.example',
      'ro\u200dmeo.example',
      '\u05d0a.example',
    ]) {
      assert.equal(domain(text), undefined, text);
    }
  });
});

describe('the reason why a JID is refused', () => {
  test('names the character and never repeats invisible ones', () => {
    assert.equal(
      describeInvalidJid('jul\u00adiet@example.org'),
      'jul\ufffdiet@example.org is not a valid JID: U+00AD is not allowed.',
    );
    assert.match(describeInvalidJid('a b@example.org'), /U\+0020 is not allowed/);
    assert.match(describeInvalidJid('@example.org'), /before the @ is empty/);
    assert.match(describeInvalidJid('a@'), /domain is missing/);
    assert.match(describeInvalidJid(`${'x'.repeat(2000)}@b`), /more than 1023 bytes/);
  });

  test('is empty for a valid JID', () => assert.equal(describeInvalidJid('romeo@example.org'), ''));
});

describe('the loose key of a JID', () => {
  test('is the same for all spellings that a server may treat as one account', () => {
    const groups = [
      ['romeo', 'ROMEO', 'ro\u00admeo', 'ro\u200dmeo', '\uff52omeo'],
      ['stra\u00dfe', 'strasse', 'STRASSE', 'STRA\u1e9eE'],
      ['\u03c3\u03b1\u03c2', '\u03a3\u0391\u03a3', '\u03c3\u03b1\u03c3'],
      ['\u13a0', '\uab70'],
      ['fi', '\ufb01'],
    ];
    for (const group of groups) {
      const keys = new Set(group.map((name) => looseJidKey(`${name}@example.org`)));
      assert.equal(keys.size, 1, group.join());
    }
  });
});

test('a normalized JID is normalized for good, and its loose key too', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, host) => {
      const bare = parseBareJid(`${name}@${host}`);
      if (bare === undefined) return;
      assert.equal(parseBareJid(bare), bare);
      assert.equal(looseJidKey(looseJidKey(bare)), looseJidKey(bare));
    }),
    { numRuns: 2000 },
  );
});

test('every single code point is refused, or normalized for good', () => {
  for (let code = 1; code <= 0x10ffff; code += code < 0x3100 ? 1 : 37) {
    const bare = parseBareJid(`a${String.fromCodePoint(code)}@b`);
    if (bare !== undefined) assert.equal(parseBareJid(bare), bare, code.toString(16));
  }
});
