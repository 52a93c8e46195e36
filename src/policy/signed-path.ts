import { sha256Hex } from '../base/ids.ts';
import { cleanFileName } from './file-names.ts';

/** The part of a link below the path of its endpoint, in a link that another server has created. */
export interface SignedPath {
  /** The decoded path, not normalized. These bytes are signed and identify the file. They are never used as a file path. */
  readonly bytes: Buffer;
  /** The segments as text. Invalid UTF-8 becomes U+FFFD. */
  readonly segments: readonly string[];
  /** Name of the file: the last segment, cleaned. */
  readonly name: string;
}

export type SignedPathError = 'malformed' | 'too_long';

/** Enough for random segments and a long name. */
const MAX_PATH_BYTES = 4096;

const SLASH = 0x2f;

/**
 * Parses the path of a request, which has one character per byte. Percent-encoding is optional, in upper or lower case; `+` is a plus.
 * Encoded slashes, NUL and other control bytes are refused: with them, a path that was signed in one scheme could be used in another
 * (docs/protocols.md, "Signed links: HMAC").
 */
export function parseSignedPath(raw: string): SignedPath | SignedPathError {
  const bytes = decodePath(raw);
  if (bytes === undefined || bytes.length === 0) return 'malformed';
  const segments = bytes.toString('utf8').split('/');
  if (bytes.length > MAX_PATH_BYTES) return 'too_long';
  return { bytes, segments, name: cleanFileName(segments.at(-1) ?? '') };
}

/** Decodes a path. Returns undefined if the encoding is invalid or a byte is not allowed. */
function decodePath(raw: string): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const isEncoded = raw[at] === '%';
    const byte = isEncoded ? parseHexByte(raw, at + 1) : raw.charCodeAt(at);
    if (byte === undefined || byte < 0x20 || byte === 0x7f || byte > 0xff) return undefined;
    if (isEncoded && byte === SLASH) return undefined;
    bytes[length] = byte;
    length += 1;
    if (isEncoded) at += 2;
  }
  return bytes.subarray(0, length);
}

function parseHexByte(text: string, at: number): number | undefined {
  const hex = text.slice(at, at + 2);
  return /^[0-9A-Fa-f]{2}$/.test(hex) ? Number.parseInt(hex, 16) : undefined;
}

/** Endpoints whose links another server or a client creates. Each has a separate namespace of locators. */
export type SignedEndpoint = 'external' | 'file_share' | 'share';

/** Returns the locator of the file with this path. */
export function signedLocator(endpoint: SignedEndpoint, { bytes }: Pick<SignedPath, 'bytes'>): string {
  return `${endpoint}:${sha256Hex(bytes)}`;
}
