import type { FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { secretsEqual, sha256Hex } from '../../base/ids.ts';
import type { ClientInfo } from '../../http/common/client-info.ts';
import { SCOPES } from '../api/route.ts';
import type { WebServices } from '../web-services.ts';
import { readCookie } from './cookies.ts';
import type { Principal } from './principal.ts';
import { findTokenPrincipal, resumeSession } from './sessions.ts';

/**
 * Finds the client of a request by its bearer token, else by its session cookie. Throws `Refusal` (`unauthorized`,
 * `too_many_attempts`) for an unknown token. Returns undefined for a client that has not signed in.
 */
export async function findPrincipal(
  services: WebServices,
  request: FastifyRequest,
  { address }: ClientInfo,
): Promise<Principal | undefined> {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      throw new Refusal('unauthorized', {
        text: 'The API accepts only tokens here. Send "Authorization: Bearer …".',
      });
    }
    return (await findTokenPrincipal(services, token)) ?? checkAdminToken(services, token, address);
  }
  const secret = readCookie(request, 'porter_session');
  return secret === undefined ? undefined : resumeSession(services, secret);
}

/** An admin may have chosen a short token, so guesses of it are slowed. */
async function checkAdminToken(
  { settings, secretGuard }: WebServices,
  token: string,
  address: string,
): Promise<Principal> {
  const { adminTokenHash } = settings();
  const compare = async () => {
    if (adminTokenHash === null || !secretsEqual(sha256Hex(token), adminTokenHash)) {
      throw new Refusal('unauthorized', { text: 'The token is unknown, or it was revoked or has expired.' });
    }
  };
  await secretGuard.attempt(
    { account: 'admin token', address },
    compare,
    (error) => error instanceof Refusal,
  );
  return { via: 'admin_token', jid: null, role: 'admin', scopes: new Set(SCOPES) };
}

/**
 * Throws `Refusal` (`csrf_wrong`) if a request with a session cookie does not repeat the token of its session: only a page of
 * this origin can read it.
 */
export function checkCsrf(principal: Principal | undefined, { headers }: FastifyRequest): void {
  if (principal?.session === undefined) return;
  const given = headers['x-csrf-token'];
  if (typeof given !== 'string' || !secretsEqual(given, principal.session.csrfToken)) {
    throw new Refusal('csrf_wrong');
  }
}
