import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../../base/errors.ts';

/** The headers that may hold a signature: hex HMAC-SHA256, GitHub's with `sha256=` before it. */
const HEADERS = [
  'x-hub-signature-256',
  'x-gitea-signature',
  'x-forgejo-signature',
  'x-gogs-signature',
  'x-grafana-alerting-signature',
] as const;

export type SignatureHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Refuses with `signature_wrong` unless one of `texts` is signed with the secret. GitHub and Grafana sign the body;
 * Gitea and Forgejo the JSON, which of a form is only the field `payload`.
 */
export function verifyWebhookSignature(
  secret: string,
  headers: SignatureHeaders,
  texts: readonly (Buffer | string)[],
): void {
  const macs = HEADERS.flatMap((name) => macOf(headers[name]) ?? []);
  if (macs.length === 0) {
    throw new Refusal('signature_wrong', {
      text: 'This hook takes signed requests only, and there is no signature.',
    });
  }
  let fits = false;
  for (const text of texts) {
    const expected = createHmac('sha256', secret).update(text).digest();
    for (const mac of macs) if (timingSafeEqual(mac, expected)) fits = true;
  }
  if (!fits) {
    throw new Refusal('signature_wrong', {
      text: 'The signature does not fit: is signature_secret the same on both sides?',
    });
  }
}

function macOf(header: SignatureHeaders[string]): Buffer | undefined {
  const hex =
    typeof header === 'string' ? /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header.trim())?.[1] : undefined;
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}
