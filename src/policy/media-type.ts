import mime from 'mime';
import { fileExtension } from './file-names.ts';

/** The type of files for which the client gave no type. */
export const UNKNOWN_TYPE = 'application/octet-stream';

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~]|\\\\[\\t -~])*"';
const PARAMETER = `;[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED})[ \\t]*)?`;
/** Syntax of RFC 9110, section 8.3.1, in ASCII. Anything else, such as a second type after a comma, could be read as another type. */
const MEDIA_TYPE = new RegExp(`^(${TOKEN}/${TOKEN})[ \\t]*((?:${PARAMETER})*)$`);
const PARAMETERS = new RegExp(PARAMETER, 'g');
/** A type that `parseMediaType` returns unchanged, as nearly all clients send it. */
const PLAIN_TYPE = /^[a-z0-9!#$%&'*+.^_`|~-]+\/[a-z0-9!#$%&'*+.^_`|~-]+$/;
const ONLY_TOKEN = new RegExp(`^${TOKEN}$`);
const MAX_LENGTH = 255;

/**
 * Parses a media type and writes it in one spelling, so that every reader understands it as this one type: type and names in
 * lower case, each parameter once, quotes only where needed. Omits a parameter in which a reader that ignores quotes would
 * see another type after a comma. Returns undefined if it is malformed.
 */
export function parseMediaType(text: string): string | undefined {
  const given = text.trim();
  if (given.length > MAX_LENGTH) return undefined;
  if (PLAIN_TYPE.test(given)) return given;
  const match = MEDIA_TYPE.exec(given);
  if (match === null) return undefined;
  const [, essence = '', parameters = ''] = match;
  const values = new Map<string, string>();
  for (const [, name, value] of parameters.matchAll(PARAMETERS)) {
    if (name === undefined || value === undefined || values.has(name.toLowerCase())) continue;
    values.set(name.toLowerCase(), unquote(value));
  }
  const kept = [...values].filter(([, value]) => !(value.includes(',') && value.includes('/')));
  return [essence.toLowerCase(), ...kept.map(([name, value]) => `; ${name}=${quoteIfNeeded(value)}`)].join(
    '',
  );
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}

function quoteIfNeeded(value: string): string {
  return ONLY_TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** Returns `type/subtype` in lower case, without parameters. */
export function mediaTypeEssence(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Returns whether a type matches one of the types or ranges (`image/png`, `image/*`, `*` + `/*`). */
export function matchesMediaRange(type: string, ranges: readonly string[]): boolean {
  const actual = mediaTypeEssence(type);
  return ranges.some((range) => {
    const wanted = mediaTypeEssence(range);
    if (wanted === '*/*' || wanted === '*') return true;
    return wanted.endsWith('/*') ? actual.startsWith(wanted.slice(0, -1)) : actual === wanted;
  });
}

/**
 * Returns whether the type of a PUT contradicts the type of its slot. Returns false if one of them is missing: many clients send no type
 * (docs/protocols.md, "PUT answers"). For the slot, `application/octet-stream` counts as missing.
 */
export function isTypeMismatch(given: string | null, declared: string): boolean {
  const putType = mediaTypeEssence(given ?? '');
  const slotType = mediaTypeEssence(declared);
  return putType !== '' && slotType !== UNKNOWN_TYPE && putType !== slotType;
}

/**
 * Types that can run scripts in a browser, and containers of such types. They are never shown inline, even if `inline_types` contains
 * them.
 */
const ACTIVE_TYPES = /^(?:text\/(?:html|xml|xsl)|application\/xml|.*\+xml|multipart\/.*|message\/.*)$/;

export function isShownInline(type: string, inlineTypes: readonly string[]): boolean {
  return !ACTIVE_TYPES.test(mediaTypeEssence(type)) && matchesMediaRange(type, inlineTypes);
}

/** Returns the usual extension of a media type. Empty if it has none. */
export function usualExtension(type: string): string {
  return fileExtension(`.${mime.getExtension(mediaTypeEssence(type)) ?? ''}`);
}

const DEFAULT_EXTENSION = 'bin';

/** Extensions that programs map to different types; the usual type first. */
const AMBIGUOUS_TYPES: Readonly<Record<string, readonly string[]>> = {
  '3ga': ['audio/3gpp'],
  '3gp': ['video/3gpp', 'audio/3gpp'],
  aac: ['audio/aac', 'audio/x-aac'],
  apk: ['application/vnd.android.package-archive'],
  avi: ['video/x-msvideo', 'video/avi'],
  bmp: ['image/bmp', 'image/x-ms-bmp'],
  flac: ['audio/flac', 'audio/x-flac'],
  gz: ['application/gzip', 'application/x-gzip'],
  ico: ['image/vnd.microsoft.icon', 'image/x-icon'],
  js: ['text/javascript', 'application/javascript'],
  m4a: ['audio/mp4', 'audio/x-m4a', 'audio/m4a'],
  mkv: ['video/matroska', 'video/x-matroska'],
  mp3: ['audio/mpeg', 'audio/mp3'],
  mp4: ['video/mp4', 'audio/mp4'],
  ogg: ['audio/ogg', 'audio/x-vorbis+ogg', 'video/ogg', 'application/ogg'],
  opus: ['audio/ogg', 'audio/opus', 'audio/x-opus+ogg'],
  rar: ['application/vnd.rar', 'application/x-rar'],
  wav: ['audio/wav', 'audio/x-wav', 'audio/vnd.wave'],
  webm: ['video/webm', 'audio/webm'],
  xdc: ['application/webxdc+zip'],
  xml: ['application/xml', 'text/xml'],
  zip: ['application/zip', 'application/x-zip-compressed'],
};

/** Media types by extension in lower case, in addition to those that Porter knows (`uploads.types`). */
export type MoreTypes = Readonly<Record<string, string>>;

/** Returns the media types that programs use for a file of this name, the usual one first; empty if unknown. */
export function mediaTypesForName(name: string, more: MoreTypes = {}): readonly string[] {
  const extension = fileExtension(name);
  const configured = Object.hasOwn(more, extension) ? more[extension] : undefined;
  const known = knownTypes(extension);
  return configured === undefined ? known : [configured, ...known.filter((type) => type !== configured)];
}

/** Types that programs such as Matterbridge, and curl with `--data`, declare for any file. */
const UNSPECIFIC_TYPES = [UNKNOWN_TYPE, 'binary/octet-stream', 'application/x-www-form-urlencoded'];

/** Returns the declared type, or the usual one for the name if the sender declares none. Returns null for an unknown type. */
export function typeOfFile(name: string, declared: string, more: MoreTypes = {}): string | null {
  const known = parseMediaType(declared);
  return known === undefined || UNSPECIFIC_TYPES.includes(mediaTypeEssence(known))
    ? (mediaTypesForName(name, more)[0] ?? null)
    : known;
}

function knownTypes(extension: string): readonly string[] {
  if (Object.hasOwn(AMBIGUOUS_TYPES, extension)) return AMBIGUOUS_TYPES[extension] ?? [];
  const type = extension === '' ? null : mime.getType(extension);
  return type === null ? [] : [type];
}

/**
 * Returns whether a file is probably encrypted by its sender (OMEMO media sharing, XEP-0454): it has the name of a picture, video or
 * audio file, but no type. Returns false for clients that declare the real type.
 */
export function isProbablyEncrypted({
  name,
  type,
}: {
  readonly name: string;
  readonly type: string;
}): boolean {
  if (mediaTypeEssence(type) !== UNKNOWN_TYPE) return false;
  return mediaTypesForName(name).some((known) => /^(?:image|video|audio)\//.test(known));
}

/**
 * Returns the extension of a blob: the extension of its name if it fits the type, otherwise the usual one for the type, so that
 * a web server sends the right type. Without a type, returns the extension of the name.
 */
export function blobExtension(name: string, type?: string): string {
  const nameExtension = fileExtension(name);
  const wanted = type === undefined ? undefined : mediaTypeEssence(type);
  if (wanted === undefined || mediaTypesForName(name).includes(wanted))
    return nameExtension || DEFAULT_EXTENSION;
  return usualExtension(wanted) || DEFAULT_EXTENSION;
}

/** Formats of pictures that get thumbnails. */
export type PictureKind = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif';

/** The number of bytes from which `pictureKind` detects the format. AVIF needs the most: its first box. */
export const PICTURE_KIND_BYTES = 64;

/**
 * Detects the format from the first `PICTURE_KIND_BYTES` of a file, not from its declared type. Returns undefined for all other content:
 * encrypted files, SVG, HTML, PDF, and also HEIC, because its decoder is not part of the prebuilt libraries of sharp.
 */
export function pictureKind(head: Uint8Array): PictureKind | undefined {
  const text = Buffer.from(head.subarray(0, PICTURE_KIND_BYTES)).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'gif';
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'webp';
  return text.startsWith('ftyp', 4) && hasAvifBrand(text) ? 'avif' : undefined;
}

/** Reads the brands of the box `ftyp` (ISO/IEC 14496-12, 4.3): the major brand at byte 8, compatible brands from byte 16. */
function hasAvifBrand(text: string): boolean {
  const end = Buffer.from(text.slice(0, 4), 'latin1').readUInt32BE();
  const brands = [8, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60]
    .filter((at) => at + 4 <= end)
    .map((at) => text.slice(at, at + 4));
  return brands.includes('avif') || brands.includes('avis');
}
