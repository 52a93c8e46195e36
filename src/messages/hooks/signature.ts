import { createHmac } from 'node:crypto';
import { Refusal } from '../../base/errors.ts';
import { digestsEqual } from '../../base/ids.ts';

/** Headers with a hex HMAC-SHA256 signature. GitHub prefixes it with `sha256=`. */
const SIGNATURE_HEADERS = [
  'x-hub-signature-256',
  'x-gitea-signature',
  'x-forgejo-signature',
  'x-gogs-signature',
  'x-grafana-alerting-signature',
] as const;

export type SignatureHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Refuses with `signature_wrong` unless one of `texts` is signed with the secret. GitHub and Grafana sign the body.
 * Gitea and Forgejo sign the JSON, which in a form is only the field `payload`.
 */
export function verifyWebhookSignature(
  secret: string,
  headers: SignatureHeaders,
  texts: readonly (Buffer | string)[],
): void {
  const macs = SIGNATURE_HEADERS.flatMap((name) => parseMac(headers[name]) ?? []);
  if (macs.length === 0) {
    throw new Refusal('signature_wrong', {
      text: 'This hook requires signed requests, but the request has no signature header. Set the same secret in the sending program.',
    });
  }
  let isValid = false;
  for (const text of texts) {
    const expected = createHmac('sha256', secret).update(text).digest();
    for (const mac of macs) if (digestsEqual(mac, expected)) isValid = true;
  }
  if (!isValid) {
    throw new Refusal('signature_wrong', {
      text: 'The signature is wrong. Check that signature_secret of the hook and the secret of the sending program are the same.',
    });
  }
}

function parseMac(header: SignatureHeaders[string]): Buffer | undefined {
  const hex =
    typeof header === 'string' ? /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header.trim())?.[1] : undefined;
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}
