import { createHmac } from 'node:crypto';
import { digestsEqual } from '../../base/ids.ts';
import { mediaTypeEssence, mediaTypesForName, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import type { SignedPath } from '../../policy/signed-path.ts';

/**
 * Parameter that carries the signature (docs/protocols.md, "Signed links: HMAC"). `v` signs path and size; `v2`, and `token` of
 * Metronome, also sign the type. Each is the HMAC-SHA256 of the decoded bytes, in hex.
 */
export type SignatureScheme = 'v2' | 'token' | 'v';

export interface UploadSignature {
  readonly scheme: SignatureScheme;
  /** 32 bytes; undefined if the parameter is not a valid signature. */
  readonly mac: Buffer | undefined;
}

/** Strongest first. The strongest scheme in a link decides, so that an attacker cannot fall back to a weaker one. */
const SCHEMES: readonly SignatureScheme[] = ['v2', 'token', 'v'];

/** Parses the signature in a query. The first value of a repeated parameter counts. Returns undefined without one. */
export function parseUploadSignature(query: string): UploadSignature | undefined {
  const params = new URLSearchParams(query);
  const scheme = SCHEMES.find((name) => params.has(name));
  return scheme && { scheme, mac: parseMac(params.get(scheme) ?? '') };
}

/** Parses the signature of a DELETE. Returns undefined if it is missing or malformed. */
export function parseDeleteSignature(query: string): Buffer | undefined {
  return parseMac(new URLSearchParams(query).get('token') ?? '');
}

function parseMac(text: string): Buffer | undefined {
  return /^[0-9A-Fa-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** The values that are signed: a path, a size in bytes, and the `Content-Type` of the PUT (its bytes as latin1). */
export interface SignedPut {
  readonly path: Pick<SignedPath, 'bytes' | 'name'>;
  readonly size: number;
  readonly type: string | null;
}

/**
 * Returns the type that was signed, `''` if the scheme signs none, or undefined if the signature matches no secret. The run time
 * does not depend on which secret matches.
 */
export function findSignedType(
  secrets: readonly string[],
  { scheme, mac }: UploadSignature,
  put: SignedPut,
): string | undefined {
  let signed: string | undefined;
  for (const type of scheme === 'v' ? [''] : candidateTypes(put)) {
    const matches = matchesAnySecret(secrets, mac, signedParts(scheme, put, type));
    if (matches && signed === undefined) signed = type;
  }
  return signed;
}

/** Returns whether Metronome's signature of a DELETE is valid. */
export function verifyDeleteSignature(
  secrets: readonly string[],
  deleteSecret: string,
  mac: Buffer | undefined,
  path: Pick<SignedPath, 'bytes'>,
): boolean {
  return matchesAnySecret(secrets, mac, [path.bytes, '\0', deleteSecret]);
}

/**
 * Returns the types that may have been signed. Clients send a PUT with a type that differs from the type of the slot, or
 * with none (docs/protocols.md, "PUT answers").
 */
function candidateTypes({ path, type }: SignedPut): readonly string[] {
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

function signedParts(
  scheme: SignatureScheme,
  { path, size }: SignedPut,
  type: string,
): readonly (Buffer | string)[] {
  if (scheme === 'v') return [path.bytes, ` ${size}`];
  return [path.bytes, `\0${size}\0`, Buffer.from(type, 'latin1')];
}

/**
 * Returns whether `mac` is the HMAC-SHA256 of `parts` with one of the secrets. Computes the HMAC with every secret, so that
 * the time does not depend on which one matches. `mac` has 32 bytes; undefined never matches.
 */
export function matchesAnySecret(
  secrets: readonly string[],
  mac: Buffer | undefined,
  parts: readonly (Buffer | string)[],
): boolean {
  let matches = false;
  for (const secret of secrets) {
    const hmac = createHmac('sha256', secret);
    for (const part of parts) hmac.update(part);
    if (mac !== undefined && digestsEqual(hmac.digest(), mac)) matches = true;
  }
  return matches;
}
