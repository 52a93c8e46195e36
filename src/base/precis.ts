import { domainToASCII, domainToUnicode } from 'node:url';

/**
 * Preparation and comparison of internationalized strings for JIDs: the PRECIS profiles UsernameCaseMapped and OpaqueString
 * (RFC 8264, RFC 8265) and IDNA labels (RFC 5891). Uses the Unicode data of Node.js, and its `domainToASCII` for joiners and
 * domains. docs/protocols.md compares the results with those of Prosody and ejabberd.
 */

/** The result of a profile: the prepared text, or the reason why the profile forbids it. */
export type Prepared = string | { readonly problem: string };

/** Code points that the general categories would classify wrongly (RFC 8264, section 9.6; the same as RFC 5892, section 2.6). */
const EXCEPTIONS_VALID = /[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]/u;
const EXCEPTIONS_FORBIDDEN = /[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]/u;
/** RFC 8264, sections 9.9 and 9.13 (OldHangulJamo, PrecisIgnorableProperties), and unassigned or private code points. */
const NEVER_VALID =
  /[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb]|\p{Default_Ignorable_Code_Point}|\p{Noncharacter_Code_Point}|\p{Cn}|\p{Co}|\p{Cs}|\p{Cc}|\p{Cf}/u;
const LETTER_OR_DIGIT = /[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]/u;
const JOINER = /[\u200c\u200d]/u;

type StringClass = 'identifier' | 'freeform';

/** Applies UsernameCaseMapped (RFC 8265, section 3.3). Forbids the characters that RFC 7622, section 3.3.1 excludes from localparts. */
export function prepareLocalpart(text: string): Prepared {
  if (!text.isWellFormed()) return { problem: 'the text is not valid Unicode' };
  let prepared = mapUsername(text);
  // RFC 8264, section 7: the mapping may change its own result, and is repeated until the result is stable.
  for (let pass = 0; pass < 3 && mapUsername(prepared) !== prepared; pass += 1)
    prepared = mapUsername(prepared);
  const problem = findProblem(prepared, 'identifier') ?? bidiProblem(prepared);
  if (problem !== undefined) return { problem };
  const excluded = /["&'/:<>@]/.exec(prepared)?.[0];
  if (excluded !== undefined) return { problem: `${excluded} is not allowed before the @` };
  return prepared;
}

/** Maps width and case, then normalizes. Case is mapped per code point, so that no final sigma arises (RFC 8265, section 3.5). */
function mapUsername(text: string): string {
  const wide = text.replace(/[\uff01-\uff9f\uffe0-\uffee]/g, (char) => char.normalize('NFKC'));
  return Array.from(wide, (char) => char.toLowerCase())
    .join('')
    .normalize('NFC');
}

/** Applies OpaqueString (RFC 8265, section 4.2), as RFC 7622, section 3.4 requires for resources. */
export function prepareResource(text: string): Prepared {
  if (!text.isWellFormed()) return { problem: 'the text is not valid Unicode' };
  const prepared = text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  const problem = findProblem(prepared, 'freeform');
  return problem === undefined ? prepared : { problem };
}

/** Prepares a domain: lower case, U-labels (RFC 7622, section 3.2), no trailing dot. An ASCII label may be any text without delimiters. */
export function prepareDomain(text: string): Prepared {
  if (!text.isWellFormed()) return { problem: 'the text is not valid Unicode' };
  const mapped = text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('\u3002', '.')
    .replace(/(?<=[^.])\.$/, '');
  const labels: string[] = [];
  for (const label of mapped.split('.')) {
    const prepared = prepareLabel(label);
    if (typeof prepared !== 'string') return prepared;
    labels.push(prepared);
  }
  return labels.join('.');
}

function prepareLabel(label: string): Prepared {
  if (label === '') return { problem: 'a part of the domain is empty' };
  const excluded = /["&'/<>@\s\p{Cc}]/u.exec(label)?.[0];
  if (excluded !== undefined) return { problem: `${describe(excluded)} is not allowed in a domain` };
  if (/^[\x21-\x7e]*$/.test(label) && !label.startsWith('xn--')) return label;
  // Without a second label, a label of digits would be read as an IPv4 address.
  const ascii = domainToASCII(`${label}.a`);
  const unicode = domainToUnicode(ascii).slice(0, -'.a'.length);
  if (ascii === '' || unicode === '' || unicode.startsWith('xn--')) {
    return { problem: `"${label}" is not a valid internationalized domain label` };
  }
  const problem = findProblem(unicode, 'identifier');
  return problem === undefined ? unicode : { problem };
}

/** Returns why a text is not in the string class (RFC 8264, sections 4.2, 4.3 and 8), or undefined if it is. */
function findProblem(text: string, stringClass: StringClass): string | undefined {
  let previous = '';
  let hasJoiner = false;
  for (const char of text) {
    if (JOINER.test(char)) hasJoiner = true;
    else if (!isAllowed(char, stringClass)) return `${describe(char)} is not allowed`;
    else if (isContextual(char) && !fitsContext(char, previous, text))
      return `${describe(char)} is not allowed here`;
    previous = char;
  }
  return hasJoiner && !joinersFit(text) ? 'a zero-width joiner is not allowed here' : undefined;
}

function isAllowed(char: string, stringClass: StringClass): boolean {
  if (EXCEPTIONS_VALID.test(char) || isContextual(char)) return true;
  if (EXCEPTIONS_FORBIDDEN.test(char)) return false;
  if (char >= '!' && char <= '~') return true;
  if (NEVER_VALID.test(char)) return false;
  if (stringClass === 'freeform') return !/[\p{Zl}\p{Zp}]/u.test(char);
  return LETTER_OR_DIGIT.test(char) && char.normalize('NFKC') === char;
}

/** CONTEXTO code points (RFC 5892, appendix A.3 to A.9). */
const isContextual = (char: string) =>
  /[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]/u.test(char);

function fitsContext(char: string, previous: string, text: string): boolean {
  if (char === '\u00b7') return previous === 'l' && text.includes('l\u00b7l') && !/\u00b7(?!l)/u.test(text);
  if (char === '\u0375')
    return /\u0375\p{Script=Greek}/u.test(text) && !/\u0375(?!\p{Script=Greek})/u.test(text);
  if (char === '\u05f3' || char === '\u05f4') return /\p{Script=Hebrew}/u.test(previous);
  if (char === '\u30fb')
    return /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text.replaceAll('\u30fb', ''));
  return !(/[\u0660-\u0669]/u.test(text) && /[\u06f0-\u06f9]/u.test(text));
}

/** Checks U+200C and U+200D by RFC 5892, appendix A.1 and A.2. These rules look only at the letters beside the joiner. */
function joinersFit(text: string): boolean {
  return (text.match(/\P{ASCII}+/gu) ?? []).every(
    (run) => !JOINER.test(run) || domainToASCII(`${run}.a`) !== '',
  );
}

/** All right-to-left characters, digits included, are in these blocks (Unicode, DerivedBidiClass). */
const RIGHT_TO_LEFT_BLOCKS =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const ARABIC_NUMBER = /[\u0660-\u0669\u{10d30}-\u{10d39}]/u;
const EUROPEAN_NUMBER = /[0-9\u06f0-\u06f9]/u;

/** L: left to right. R: right to left (R and AL). AN, EN: digits. NSM: combining. N: all others. */
type BidiClass = 'L' | 'R' | 'AN' | 'EN' | 'NSM' | 'N';

/** Bidirectional class of a character of the identifier class. */
function bidiClass(char: string): BidiClass {
  if (EUROPEAN_NUMBER.test(char)) return 'EN';
  if (/[\p{Mn}\p{Me}]/u.test(char)) return 'NSM';
  if (ARABIC_NUMBER.test(char)) return 'AN';
  if (RIGHT_TO_LEFT_BLOCKS.test(char)) return 'R';
  return /[\p{L}\p{N}\p{Mc}]/u.test(char) ? 'L' : 'N';
}

/** The Bidi Rule (RFC 5893, section 2), which applies to texts with right-to-left characters only. */
function bidiProblem(text: string): string | undefined {
  if (!RIGHT_TO_LEFT_BLOCKS.test(text)) return undefined;
  const classes = Array.from(text, bidiClass);
  if (!classes.some((one) => one === 'R' || one === 'AN')) return undefined;
  const last = classes.findLast((one) => one !== 'NSM');
  const isValid =
    classes[0] === 'R' &&
    !classes.includes('L') &&
    (last === 'R' || last === 'EN' || last === 'AN') &&
    !(classes.includes('EN') && classes.includes('AN'));
  return isValid ? undefined : 'it mixes right-to-left and left-to-right characters';
}

function describe(char: string): string {
  const code = `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  return /^[\x21-\x7e]$/.test(char) ? char : code;
}

/**
 * Applies full case folding and removes invisible characters (NFKC_Casefold, Unicode section 3.13). Texts that any server treats as
 * equal have the same result. For keys and patterns for which it is harmless if two accounts have the same key.
 */
export function foldLoosely(text: string): string {
  const visible = text.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  return Array.from(visible, (char) => char.toLowerCase().toUpperCase().toLowerCase())
    .join('')
    .replaceAll('\u03c2', '\u03c3')
    .normalize('NFKC');
}
