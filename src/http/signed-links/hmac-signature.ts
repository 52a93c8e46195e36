import { createHmac, timingSafeEqual } from 'node:crypto';
import { mediaTypesForName } from '../../policy/guess-media-type.ts';
import { mediaTypeEssence, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import type { SignedPath } from '../../policy/signed-path.ts';

/**
 * Who signs what (FIELD 5.2, 5.3, 5.5). `v`: path and size; `v2`, and `token` of Metronome, the type too. HMAC-SHA256 of the
 * decoded bytes, as hex.
 */
export type SignatureScheme = 'v2' | 'token' | 'v';

export interface UploadSignature {
  readonly scheme: SignatureScheme;
  /** 32 bytes, or none where what was given is no signature at all. */
  readonly mac: Buffer | undefined;
}

/** Highest first: of several it decides alone, so that nobody can fall back on a weaker one. */
const SCHEMES: readonly SignatureScheme[] = ['v2', 'token', 'v'];

/** The signature in a query, of a repeated parameter the first; undefined where there is none. */
export function parseUploadSignature(query: string): UploadSignature | undefined {
  const params = new URLSearchParams(query);
  const scheme = SCHEMES.find((name) => params.has(name));
  return scheme && { scheme, mac: readMac(params.get(scheme) ?? '') };
}

/** The signature of a `DELETE`. */
export function parseDeleteSignature(query: string): Buffer | undefined {
  return readMac(new URLSearchParams(query).get('token') ?? '');
}

function readMac(text: string): Buffer | undefined {
  return /^[0-9A-Fa-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** What is being signed: a path, a size in bytes, and what the PUT says of its type (its bytes as latin1). */
export interface SignedPut {
  readonly path: Pick<SignedPath, 'bytes' | 'name'>;
  readonly size: number;
  readonly type: string | null;
}

/**
 * The type that was signed, `''` where none was; undefined where the signature fits none of the secrets. Takes
 * the same time whichever of them fits.
 */
export function findSignedType(
  secrets: readonly string[],
  { scheme, mac }: UploadSignature,
  put: SignedPut,
): string | undefined {
  let signed: string | undefined;
  for (const type of scheme === 'v' ? [''] : candidates(put)) {
    const fits = isSigned(secrets, mac, textOf(scheme, put, type));
    if (fits && signed === undefined) signed = type;
  }
  return signed;
}

/** Does Metronome's signature of a `DELETE` fit? */
export function verifyDeleteSignature(
  secrets: readonly string[],
  deleteSecret: string,
  mac: Buffer | undefined,
  path: Pick<SignedPath, 'bytes'>,
): boolean {
  return isSigned(secrets, mac, [path.bytes, '\0', deleteSecret]);
}

/**
 * Clients send their PUT with another type than they asked a slot for, or with none (FIELD 5.2): what was signed
 * is the first of these that fits.
 */
function candidates({ path, type }: SignedPut): readonly string[] {
  const given = type ?? '';
  const bare = mediaTypeEssence(given);
  return [
    ...new Set([
      given,
      given.split(';', 1)[0]?.trim() ?? '',
      bare,
      UNKNOWN_TYPE,
      ...mediaTypesForName(path.name),
      '',
    ]),
  ];
}

type Text = readonly (Buffer | string)[];

function textOf(scheme: SignatureScheme, { path, size }: SignedPut, type: string): Text {
  if (scheme === 'v') return [path.bytes, ` ${size}`];
  return [path.bytes, `\0${size}\0`, Buffer.from(type, 'latin1')];
}

function isSigned(secrets: readonly string[], mac: Buffer | undefined, text: Text): boolean {
  let fits = false;
  for (const secret of secrets) {
    const hmac = createHmac('sha256', secret);
    for (const part of text) hmac.update(part);
    if (mac !== undefined && timingSafeEqual(hmac.digest(), mac)) fits = true;
  }
  return fits;
}
