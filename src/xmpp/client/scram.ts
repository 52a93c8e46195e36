import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { createSemaphore } from '../../base/async.ts';

export type ScramDigest = 'sha1' | 'sha256';

export interface ScramCredentials {
  readonly name: string;
  /** After SASLprep, see `preparePassword`. */
  readonly password: string;
}

/** The client side of SCRAM (RFC 5802; RFC 7677 for SHA-256) without channel binding. */
export interface ScramClient {
  readonly clientFirst: string;
  /** Returns the client-final message. Throws a `ScramError` if the server-first message is invalid. */
  respond(serverFirst: string): Promise<string>;
  /** Throws a `ScramError` unless the server has proven that it knows the password. */
  verifyServerFinal(serverFinal: string): void;
}

/** The server violates the protocol or does not know the password. */
export class ScramError extends Error {}

/** RFC 5802 §5.1. */
const MIN_ITERATIONS = 4096;
/** A third of a second on one core. The server, which may be hostile, chooses the count. */
const MAX_ITERATIONS = 1_000_000;
/** GS2 header: no channel binding, no authorization identity. */
const GS2_HEADER = 'n,,';

const deriveKey = promisify(pbkdf2);
/** Libuv has four threads by default. Logins leave two of them for disk I/O. */
const limitDerivations = createSemaphore(2);

export function createScramClient(
  digest: ScramDigest,
  { name, password }: ScramCredentials,
  clientNonce = randomBytes(24).toString('base64'),
): ScramClient {
  const clientFirstBare = `n=${name.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${clientNonce}`;
  let serverSignature: Buffer | undefined;
  return {
    clientFirst: GS2_HEADER + clientFirstBare,
    async respond(serverFirst) {
      const { salt, iterations, nonce } = parseServerFirst(serverFirst, clientNonce);
      const keyLength = createHash(digest).update('').digest().length;
      const saltedPassword = await limitDerivations(() =>
        deriveKey(password, salt, iterations, keyLength, digest),
      );
      const clientKey = hmac(digest, saltedPassword, 'Client Key');
      const storedKey = createHash(digest).update(clientKey).digest();
      const clientFinalWithoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`;
      const authMessage = `${clientFirstBare},${serverFirst},${clientFinalWithoutProof}`;
      const clientSignature = hmac(digest, storedKey, authMessage);
      serverSignature = hmac(digest, hmac(digest, saltedPassword, 'Server Key'), authMessage);
      const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
      return `${clientFinalWithoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
    verifyServerFinal(serverFinal) {
      const [, verifier = ''] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(serverFinal) ?? [];
      const received = Buffer.from(verifier, 'base64');
      const isProven =
        serverSignature !== undefined &&
        serverSignature.length === received.length &&
        timingSafeEqual(serverSignature, received);
      if (!isProven) throw new ScramError('the server has not proven that it knows the password');
    },
  };
}

function hmac(digest: ScramDigest, key: Uint8Array, text: string): Buffer {
  return createHmac(digest, key).update(text).digest();
}

function parseServerFirst(message: string, clientNonce: string) {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9]\d{0,9})(?:,|$)/.exec(message);
  if (!match) throw new ScramError('the first SCRAM message of the server is malformed');
  const [, nonce = '', salt = '', iterationCount = ''] = match;
  const iterations = Number(iterationCount);
  if (!nonce.startsWith(clientNonce) || nonce === clientNonce) {
    throw new ScramError('the server did not extend the nonce of the client');
  }
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new ScramError(
      `the server asks for ${iterations} iterations, but ${MIN_ITERATIONS} to ${MAX_ITERATIONS} are allowed`,
    );
  }
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations };
}
