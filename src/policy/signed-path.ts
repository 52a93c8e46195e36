import { sha256Hex } from '../base/ids.ts';
import { checkFileName, MAX_NAME_BYTES } from './file-names.ts';

/** What follows a door's own path in a link that another server has made. */
export interface SignedPath {
  /** Decoded, and not otherwise changed: what was signed, and what the file is found by. Never used as a path. */
  readonly bytes: Buffer;
  /** As text, for people; bytes that are no UTF-8 are shown as U+FFFD. */
  readonly segments: readonly string[];
  /** Of the file: the last segment, or `file` where that is none that could be shown. */
  readonly name: string;
}

export type SignedPathError = 'malformed' | 'too_long';

/** A random part or two, each as long as anybody makes them, and a name. */
const MAX_PATH_BYTES = 1024;

const SLASH = 0x2f;

/**
 * Reads a path as it stands in a request, one character for each byte: percent-encoded in either case of hex, in
 * part or not at all; `+` is a plus. Nothing is normalised. Refused are encoded slashes, NUL and other control
 * bytes, which a signed text of one kind could be passed off with as one of another (FIELD 5.6).
 */
export function parseSignedPath(raw: string): SignedPath | SignedPathError {
  const bytes = decode(raw);
  if (bytes === undefined || bytes.length === 0) return 'malformed';
  const segments = bytes.toString('utf8').split('/');
  const last = bytes.subarray(bytes.lastIndexOf(SLASH) + 1);
  if (bytes.length > MAX_PATH_BYTES || last.length > MAX_NAME_BYTES) return 'too_long';
  const name = segments.at(-1) ?? '';
  return { bytes, segments, name: checkFileName(name) === 'fine' ? name : 'file' };
}

/** Undefined where it is not validly encoded or has a byte that no link may have. */
function decode(raw: string): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const encoded = raw[at] === '%';
    const byte = encoded ? hexByte(raw, at + 1) : raw.charCodeAt(at);
    if (byte === undefined || byte < 0x20 || byte === 0x7f || byte > 0xff) return undefined;
    if (encoded && byte === SLASH) return undefined;
    bytes[length] = byte;
    length += 1;
    if (encoded) at += 2;
  }
  return bytes.subarray(0, length);
}

function hexByte(text: string, at: number): number | undefined {
  const hex = text.slice(at, at + 2);
  return /^[0-9A-Fa-f]{2}$/.test(hex) ? Number.parseInt(hex, 16) : undefined;
}

/** Doors whose links another server makes; each has a namespace of its own. */
export type SignedEndpoint = 'external' | 'file_share';

/** How the file of a signed link is found. */
export function signedLocator(endpoint: SignedEndpoint, { bytes }: Pick<SignedPath, 'bytes'>): string {
  return `${endpoint}:${sha256Hex(bytes)}`;
}
