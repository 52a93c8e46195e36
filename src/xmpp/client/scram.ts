import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { createSemaphore } from '../../base/async.ts';
import { digestsEqual } from '../../base/ids.ts';
import type { ChannelBinding } from './channel-binding.ts';

export type ScramDigest = 'sha1' | 'sha256' | 'sha512';

export interface ScramCredentials {
  readonly name: string;
  /** After SASLprep, see `preparePassword`. */
  readonly password: string;
}

/** The offers of the server, as the client has received them. */
export interface ScramOffer {
  readonly mechanisms: readonly string[];
  /** XEP-0440. */
  readonly bindingTypes: readonly string[];
}

export interface ScramOptions {
  /** For the mechanisms with `-PLUS`. */
  readonly binding?: ChannelBinding | undefined;
  /** Checked against the hash that the server may send (XEP-0474). */
  readonly offer?: ScramOffer;
  /** For tests. */
  readonly clientNonce?: string;
}

/** The client side of SCRAM (RFC 5802; RFC 7677 for SHA-256), with or without channel binding. */
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
/** The server chooses the count and may be hostile. This many iterations take a third of a second on one core. */
const MAX_ITERATIONS = 1_000_000;
const deriveKey = promisify(pbkdf2);
/** Libuv has four threads by default. Logins leave two of them for disk I/O. */
const limitDerivations = createSemaphore(2);

export function createScramClient(
  digest: ScramDigest,
  { name, password }: ScramCredentials,
  { binding, offer, clientNonce = randomBytes(24).toString('base64') }: ScramOptions = {},
): ScramClient {
  // GS2 header (RFC 5801 §4): the type of channel binding, and no authorization identity.
  const gs2Header = binding ? `p=${binding.type},,` : 'n,,';
  const bindingInput = Buffer.concat([Buffer.from(gs2Header), binding?.data ?? Buffer.alloc(0)]);
  const clientFirstBare = `n=${name.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${clientNonce}`;
  let serverSignature: Buffer | undefined;
  return {
    clientFirst: gs2Header + clientFirstBare,
    async respond(serverFirst) {
      const { salt, iterations, nonce, offerHash } = parseServerFirst(serverFirst, clientNonce);
      if (offer && offerHash !== undefined && offerHash !== hashOffer(digest, offer)) throw downgraded();
      const keyLength = createHash(digest).update('').digest().length;
      const saltedPassword = await limitDerivations(() =>
        deriveKey(password, salt, iterations, keyLength, digest),
      );
      const clientKey = hmac(digest, saltedPassword, 'Client Key');
      const storedKey = createHash(digest).update(clientKey).digest();
      const clientFinalWithoutProof = `c=${bindingInput.toString('base64')},r=${nonce}`;
      const authMessage = `${clientFirstBare},${serverFirst},${clientFinalWithoutProof}`;
      const clientSignature = hmac(digest, storedKey, authMessage);
      serverSignature = hmac(digest, hmac(digest, saltedPassword, 'Server Key'), authMessage);
      const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
      return `${clientFinalWithoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
    verifyServerFinal(serverFinal) {
      const [, verifier = ''] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(serverFinal) ?? [];
      const received = Buffer.from(verifier, 'base64');
      const isProven = serverSignature !== undefined && digestsEqual(serverSignature, received);
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
  return {
    nonce,
    salt: Buffer.from(salt, 'base64'),
    iterations,
    offerHash: /,h=([A-Za-z0-9+/=]+)(?:,|$)/.exec(message)?.[1],
  };
}

/**
 * XEP-0474: the hash of the sorted mechanisms and, if there are any, the sorted types of channel binding. It is part of the
 * signed messages, so only somebody with the password can change it.
 */
function hashOffer(digest: ScramDigest, { mechanisms, bindingTypes }: ScramOffer): string {
  const list = (names: readonly string[]) => [...names].sort().join('\x1e');
  const text = bindingTypes.length === 0 ? list(mechanisms) : `${list(mechanisms)}\x1f${list(bindingTypes)}`;
  return createHash(digest).update(text).digest('base64');
}

function downgraded(): ScramError {
  return new ScramError('the login methods that the server offered were changed in transit');
}
