import { createHmac } from 'node:crypto';
import { Refusal } from '../../base/errors.ts';
import { digestsEqual, secretsEqual } from '../../base/ids.ts';

/** Headers with a hex HMAC-SHA256 of the body. GitHub prefixes it with `sha256=`. */
const SIGNATURE_HEADERS = [
  'x-hub-signature-256',
  'x-gitea-signature',
  'x-forgejo-signature',
  'x-gogs-signature',
  'x-grafana-alerting-signature',
  'sentry-hook-signature',
] as const;

/** GitLab's header with the secret itself. */
const SECRET_HEADER = 'x-gitlab-token';

/** How far the time of a signed request may be from now, as in the specification of Standard Webhooks. */
const MAX_AGE_MS = 5 * 60_000;

export type SignatureHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface SignedRequest {
  readonly secret: string;
  readonly headers: SignatureHeaders;
  /** The texts that a signature may cover: the body, and the JSON in a form. */
  readonly texts: readonly (Buffer | string)[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Throws `Refusal` (`signature_wrong`) unless the request proves that its sender has the secret:
 *
 * | program        | proof |
 * |----------------|-------|
 * | GitHub, Grafana, Sentry | HMAC of the body |
 * | Gitea, Forgejo | HMAC of the JSON, which in a form is only the field `payload` |
 * | GitLab, signing token | HMAC of id, time and body (standardwebhooks.com), at most five minutes old |
 * | GitLab, secret token  | the secret itself |
 */
export function verifyWebhookSignature(request: SignedRequest): void {
  const proofs = [checkSecretHeader(request), checkStandardSignature(request), checkBodySignatures(request)];
  if (proofs.includes(true)) return;
  if (proofs.every((proof) => proof === undefined)) {
    throw new Refusal('signature_wrong', {
      text: 'This hook requires signed requests, but the request has no signature header. Set the same secret in the sending program.',
    });
  }
  throw new Refusal('signature_wrong', {
    text: 'The signature is wrong or too old. Check that signature_secret of the hook and the secret of the sending program are the same, and the clocks of both machines.',
  });
}

/** Each check returns undefined if the request has no such header. */
type Check = (request: SignedRequest) => boolean | undefined;

const checkSecretHeader: Check = ({ secret, headers }) => {
  const given = headers[SECRET_HEADER];
  return typeof given === 'string' ? secretsEqual(given, secret) : undefined;
};

const checkBodySignatures: Check = ({ secret, headers, texts }) => {
  const macs = SIGNATURE_HEADERS.flatMap((name) => parseMac(headers[name]) ?? []);
  if (macs.length === 0) return undefined;
  const expected = texts.map((text) => createHmac('sha256', secret).update(text).digest());
  return includesAny(expected, macs);
};

const checkStandardSignature: Check = ({ secret, headers, texts, now }) => {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': list } = headers;
  if (typeof list !== 'string') return undefined;
  if (typeof id !== 'string' || typeof time !== 'string' || !/^\d{1,12}$/.test(time)) return false;
  if (Math.abs(now - Number(time) * 1000) > MAX_AGE_MS) return false;
  const macs = list
    .split(' ')
    .filter((entry) => entry.startsWith('v1,'))
    .map((entry) => Buffer.from(entry.slice(3), 'base64'));
  const expected = standardKeys(secret).flatMap((key) =>
    texts.map((text) => createHmac('sha256', key).update(`${id}.${time}.`).update(text).digest()),
  );
  return includesAny(expected, macs);
};

/** A key in Base64, at least 16 bytes: a shorter one could be guessed. */
const BASE64_KEY = /^(?:whsec_)?([A-Za-z0-9+/]{22,}={0,2})$/;

/** Returns the keys that a secret may mean: its text, and the bytes if it is Base64, which `whsec_` may announce. */
function standardKeys(secret: string): Buffer[] {
  const base64 = BASE64_KEY.exec(secret)?.[1];
  return [Buffer.from(secret), ...(base64 === undefined ? [] : [Buffer.from(base64, 'base64')])];
}

/** The run time does not depend on which MAC is right. */
function includesAny(expected: readonly Buffer[], macs: readonly Buffer[]): boolean {
  let isValid = false;
  for (const one of expected) for (const mac of macs) if (digestsEqual(mac, one)) isValid = true;
  return isValid;
}

function parseMac(header: SignatureHeaders[string]): Buffer | undefined {
  const hex =
    typeof header === 'string' ? /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header.trim())?.[1] : undefined;
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}
