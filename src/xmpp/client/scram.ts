import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { createSemaphore } from '../../base/async.ts';

export type ScramDigest = 'sha1' | 'sha256';

export interface ScramCredentials {
  readonly name: string;
  /** As `preparePassword` gives it. */
  readonly password: string;
}

/** One side of SCRAM (RFC 5802; with SHA-256 RFC 7677), the client's, without channel binding. */
export interface ScramClient {
  readonly clientFirst: string;
  /** The answer to the server's first message. Throws where that is none, or asks for too little or too much work. */
  respond(serverFirst: string): Promise<string>;
  /** Throws unless the server has proven that it knows the password too. */
  verifyServerFinal(serverFinal: string): void;
}

/** The server did not keep to the protocol, or does not know the password itself. */
export class ScramError extends Error {}

/** RFC 5802 §5.1 has no less. */
const FEWEST_ROUNDS = 4096;
/** A third of a second of one core. Servers that we have no reason to trust say how much work there is to do. */
const MOST_ROUNDS = 1_000_000;
const NO_BINDING = 'n,,';

const derive = promisify(pbkdf2);
/** The pool of threads serves the disk too: logins never fill it. */
const inTurn = createSemaphore(2);

export function createScramClient(
  digest: ScramDigest,
  user: ScramCredentials,
  nonce = newNonce(),
): ScramClient {
  const bare = `n=${user.name.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  let expected: Buffer | undefined;
  return {
    clientFirst: NO_BINDING + bare,
    async respond(serverFirst) {
      const { salt, rounds, nonce: both } = readServerFirst(serverFirst, nonce);
      const length = createHash(digest).update('').digest().length;
      const salted = await inTurn(() => derive(user.password, salt, rounds, length, digest));
      const clientKey = mac(digest, salted, 'Client Key');
      const withoutProof = `c=${Buffer.from(NO_BINDING).toString('base64')},r=${both}`;
      const signed = `${bare},${serverFirst},${withoutProof}`;
      const signature = mac(digest, createHash(digest).update(clientKey).digest(), signed);
      expected = mac(digest, mac(digest, salted, 'Server Key'), signed);
      const proof = clientKey.map((byte, place) => byte ^ (signature[place] ?? 0));
      return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
    verifyServerFinal(serverFinal) {
      const [, given = ''] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(serverFinal) ?? [];
      const proof = Buffer.from(given, 'base64');
      if (expected === undefined || proof.length !== expected.length || !timingSafeEqual(proof, expected)) {
        throw new ScramError('the server has not proven that it knows the password');
      }
    },
  };
}

function newNonce(): string {
  return randomBytes(24).toString('base64');
}

function mac(digest: ScramDigest, key: Uint8Array, text: string): Buffer {
  return createHmac(digest, key).update(text).digest();
}

function readServerFirst(message: string, isPorter: string) {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9]\d{0,9})(?:,|$)/.exec(message);
  if (!match) throw new ScramError('the server does not speak SCRAM as RFC 5802 has it');
  const [, nonce = '', salt = '', i = ''] = match;
  const rounds = Number(i);
  if (!nonce.startsWith(isPorter) || nonce === isPorter)
    throw new ScramError('the server has changed the nonce');
  if (rounds < FEWEST_ROUNDS || rounds > MOST_ROUNDS) {
    throw new ScramError(`the server asks for ${rounds} rounds: not from ${FEWEST_ROUNDS} to ${MOST_ROUNDS}`);
  }
  return { nonce, salt: Buffer.from(salt, 'base64'), rounds };
}
