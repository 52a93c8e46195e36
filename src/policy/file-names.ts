/** The limit of most file systems. Clients save a file under the name in its link. */
export const MAX_NAME_BYTES = 255;
/** Longer names are shortened to this, so that a program can append ` (1)` or `.crdownload` while it saves the file. */
const SHORTENED_BYTES = 240;

/**
 * Control characters, line separators, halves of surrogate pairs, noncharacters, and characters that are not visible, such as
 * zero-width and bidirectional controls. Variation selectors stay: they choose between two pictures of a character.
 */
const INVISIBLE =
  /[[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}]--[\uFE00-\uFE0F]]/gv;

/** A name that `cleanFileName` leaves as it is: visible ASCII characters with single spaces between them, and no slash. */
const CLEAN_NAME = /^(?!\.*$)(?:[!-.0-[\]-~]+(?: [!-.0-[\]-~]+)*)$/;

const LINE_BREAKS_AND_TABS = /[\t-\r\u0085\u2028\u2029]/g;

/**
 * Cleans a file name. All endpoints, imports and download headers use this function, and no name is refused:
 *
 * - only the last segment after `/` or `\` is kept
 * - tabs and line breaks become spaces; invisible characters and white space at both ends are removed
 * - above 255 bytes the stem is shortened, to 240 bytes in all, and the extension kept
 * - if nothing is left, the name is `file` with `extension`, the usual one for the media type
 */
export function cleanFileName(name: string, extension = ''): string {
  if (name.length <= MAX_NAME_BYTES && CLEAN_NAME.test(name)) return name;
  const segments = name
    .split(/[/\\]/)
    .map((segment) => segment.replace(LINE_BREAKS_AND_TABS, ' ').replace(INVISIBLE, '').trim());
  const last = segments.findLast((segment) => segment !== '') ?? '';
  if (/^\.*$/.test(last)) return extension === '' ? 'file' : `file.${extension}`;
  return shortenName(last);
}

function shortenName(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const suffix = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - suffix.length);
  return cutToBytes(stem, SHORTENED_BYTES - suffix.length).trimEnd() + suffix;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts a text between two grapheme clusters: never inside an emoji or before a combining mark. */
function cutToBytes(text: string, maxBytes: number): string {
  let bytes = 0;
  // At most `maxBytes` UTF-16 units fit, so the rest of a long text need not be segmented.
  const start = text.slice(0, maxBytes + 1).toWellFormed();
  for (const { segment, index } of graphemes.segment(start)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > maxBytes) return start.slice(0, index) || cutToCodePoints(start, maxBytes);
  }
  return start;
}

/** Cuts a text between code points, for a single character with too many combining marks. */
function cutToCodePoints(text: string, maxBytes: number): string {
  return Buffer.from(text)
    .subarray(0, maxBytes)
    .toString()
    .replace(/\uFFFD+$/, '');
}

const MAX_SLUG_LENGTH = 80;

/**
 * Returns an ASCII form of a name for URLs, with its extension. It has only `[A-Za-z0-9_.-]`, because some servers encode URLs
 * a second time (docs/protocols.md, "Slot API of ejabberd and django"). It is only for people: files are found by id.
 */
export function slug(name: string): string {
  const extension = fileExtension(name);
  const suffix = extension === '' ? '' : `.${extension}`;
  const stem = name
    .slice(0, name.length - suffix.length)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9_.-]+/g, '_')
    .replace(/\.{2,}/g, '.')
    .slice(0, MAX_SLUG_LENGTH)
    .replace(/^[._]+|[._]+$/g, '');
  return `${stem || 'file'}${suffix}`;
}

/** Returns a name for the last segment of a URL: percent-encoded UTF-8 in the normal form of RFC 3986, section 6.2.2. */
export function encodeForUrl(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Returns the extension of a name in lower case without its dot; empty if it has none of 1 to 10 letters and digits. */
export function fileExtension(name: string): string {
  return /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? '';
}
