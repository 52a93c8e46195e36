import { randomId, sha256Hex } from '../../base/ids.ts';
import { findUserToken } from '../../messages/user-tokens.ts';
import { listedRole, type Role } from '../../policy/roles.ts';
import { SCOPES, type Scope } from '../api/route.ts';
import type { WebServices } from '../web-services.ts';
import type { Principal } from './principal.ts';

const DAY_MS = 86_400_000;
/** A session ends after this time without a request. */
export const SESSION_IDLE_MS = 7 * DAY_MS;
/** A session ends after this time in any case. */
const SESSION_MAX_MS = 90 * DAY_MS;
/** The use of a session is recorded at most this often. */
const RECORD_USE_MS = 3600_000;
const MAX_CLIENT_LENGTH = 200;

type SessionServices = Pick<WebServices, 'ledger' | 'clock' | 'settings' | 'log'>;

/** Starts a session. The secret is for the cookie; the ledger stores only its hash. */
export async function startSession(
  services: SessionServices,
  jid: string,
  userAgent: string,
): Promise<{ readonly secret: string; readonly principal: Principal }> {
  const now = services.clock();
  const secret = randomId() + randomId();
  const session = {
    secretHash: sha256Hex(secret),
    jid,
    client: userAgent.slice(0, MAX_CLIENT_LENGTH).toWellFormed(),
    createdAt: now,
    lastUsedAt: now,
    expiresAt: now + SESSION_IDLE_MS,
  };
  await services.ledger.createSession(session);
  services.log.info({ jid }, 'signed in to the web page');
  return { secret, principal: sessionPrincipal(services, session, secret) };
}

/** Returns the user of a session cookie, and extends the session. Undefined if it has ended, or the account may not sign in any more. */
export async function resumeSession(
  services: SessionServices,
  secret: string,
): Promise<Principal | undefined> {
  const { ledger, clock, settings } = services;
  const now = clock();
  const session = await ledger.findSession({ secretHash: sha256Hex(secret), now });
  if (session === undefined || !settings().maySignIn(session.jid)) return undefined;
  if (now - session.lastUsedAt < RECORD_USE_MS) return sessionPrincipal(services, session, secret);
  const expiresAt = Math.min(now + SESSION_IDLE_MS, session.createdAt + SESSION_MAX_MS);
  await ledger.extendSession({ secretHash: session.secretHash, lastUsedAt: now, expiresAt });
  return sessionPrincipal(services, { ...session, expiresAt }, secret);
}

function sessionPrincipal(
  services: SessionServices,
  {
    jid,
    secretHash,
    expiresAt,
  }: { readonly jid: string; readonly secretHash: string; readonly expiresAt: number },
  secret: string,
): Principal {
  const role = roleOf(services, jid);
  // Derived from the secret, so that it needs no storage and ends with the session.
  const csrfToken = sha256Hex(`csrf ${secret}`);
  return {
    via: 'session',
    jid,
    role,
    scopes: scopesOf(role),
    session: { hash: secretHash, csrfToken, expiresAt },
  };
}

/** Returns the user of a token that was made on the page. Undefined if it is unknown, revoked or expired. */
export async function findTokenPrincipal(
  services: SessionServices,
  token: string,
): Promise<Principal | undefined> {
  const found = await findUserToken(services, token);
  if (found === undefined || !services.settings().maySignIn(found.jid)) return undefined;
  const { jid } = found;
  // A token keeps no right that its owner has lost.
  const role = roleOf(services, jid);
  const allowed = scopesOf(role);
  const scopes = SCOPES.filter((scope) => allowed.has(scope) && found.scopes.includes(scope));
  return { via: 'token', jid, role, scopes: new Set(scopes) };
}

/** Returns the role that the config gives an account now. */
export function roleOf({ settings }: Pick<WebServices, 'settings'>, jid: string): Role {
  return listedRole(settings(), jid);
}

const USER_SCOPES: ReadonlySet<Scope> = new Set(SCOPES.filter((scope) => scope !== 'admin'));
const ADMIN_SCOPES: ReadonlySet<Scope> = new Set(SCOPES);

/** Returns all scopes that a role may have. */
export function scopesOf(role: Role): ReadonlySet<Scope> {
  return role === 'admin' ? ADMIN_SCOPES : USER_SCOPES;
}
