import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ClientInfo } from '../../http/common/client-info.ts';

/**
 * Cookies have no `Path`, so a browser binds them to the path of the request as it sees it, up to the last slash (RFC 6265,
 * section 5.1.4): `…/api/v1`. This holds below every prefix of a reverse proxy. Therefore only routes directly below `api/v1` set them.
 */
export type CookieName = 'porter_session' | 'porter_browser';

/** Secrets consist of `[0-9a-z]`. */
const SECRET = /^[0-9a-z]{26,64}$/;

/** Returns the secret in a cookie. Undefined without a valid one. */
export function readCookie({ headers }: FastifyRequest, name: CookieName): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const [key, value = ''] = pair.trim().split('=');
    if (key === name && SECRET.test(value)) return value;
  }
  return undefined;
}

/** Sets a cookie. `maxAgeMs` 0 removes it. */
export function writeCookie(
  reply: FastifyReply,
  { protocol }: Pick<ClientInfo, 'protocol'>,
  name: CookieName,
  { secret, maxAgeMs }: { readonly secret: string; readonly maxAgeMs: number },
): void {
  const attributes = [`Max-Age=${Math.floor(maxAgeMs / 1000)}`, 'HttpOnly', 'SameSite=Strict'];
  if (protocol === 'https') attributes.push('Secure');
  reply.header('Set-Cookie', `${name}=${secret}; ${attributes.join('; ')}`);
}
