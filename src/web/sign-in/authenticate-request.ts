import type { FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { secretsEqual, sha256Hex } from '../../base/ids.ts';
import { listedRole, type Role } from '../../policy/roles.ts';
import { SCOPES } from '../api/route.ts';
import type { WebServices } from '../web-services.ts';
import type { Principal } from './principal.ts';

/** Finds the client of a request by its bearer token or session cookie. Throws `Refusal` for an unknown token. */
export async function findPrincipal(
  services: WebServices,
  request: FastifyRequest,
): Promise<Principal | undefined> {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return findByToken(services, bearer);
  return undefined;
}

async function findByToken(services: WebServices, token: string): Promise<Principal> {
  const { adminTokenHash } = services.settings();
  if (adminTokenHash !== null && secretsEqual(sha256Hex(token), adminTokenHash)) {
    return { via: 'admin_token', jid: null, role: 'admin', scopes: new Set(SCOPES) };
  }
  throw new Refusal('unauthorized', { text: 'The token is unknown, or it was revoked or has expired.' });
}

/** Returns the role that the config gives an account now. */
export function roleOf({ settings }: Pick<WebServices, 'settings'>, jid: string): Role {
  return listedRole(settings(), jid);
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
