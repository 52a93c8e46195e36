import { Refusal } from '../../base/errors.ts';
import { includesRole, type Role } from '../../policy/roles.ts';
import type { RouteAccess, Scope } from '../api/route.ts';

/** An authenticated client of the API. */
export interface Principal {
  readonly via: 'session' | 'token' | 'admin_token';
  /** Bare JID; null for the admin token of the config, which belongs to no account. */
  readonly jid: string | null;
  readonly role: Role;
  /** A session has all scopes of its role. */
  readonly scopes: ReadonlySet<Scope>;
  /** Set only for a session: the hash of its secret, and the token that its requests must repeat. */
  readonly session?: { readonly hash: string; readonly csrfToken: string; readonly expiresAt: number };
}

/** Throws `Refusal` (`unauthorized`, `not_permitted`) if this client may not call a route with this access. */
export function assertMayCall(access: RouteAccess, principal: Principal | undefined): void {
  if (access === 'public') return;
  if (principal === undefined) throw new Refusal('unauthorized', { text: 'Sign in first.' });
  const { via, role, scopes } = principal;
  if (access === 'session') {
    if (via !== 'session') throw notPermitted('This needs a session of the page. A token cannot do it.');
    return;
  }
  if (access === 'moderator' || access === 'admin') {
    if (!includesRole(role, access))
      throw notPermitted(`Only ${access === 'admin' ? 'admins' : 'admins and moderators'} may do this.`);
    if (via === 'token' && !scopes.has('admin')) throw missingScope('admin');
    return;
  }
  accountOf(principal);
  if (!scopes.has(access)) throw missingScope(access);
}

function missingScope(scope: Scope): Refusal {
  return notPermitted(`The token does not have the scope ${scope}.`);
}

function notPermitted(text: string): Refusal {
  return new Refusal('not_permitted', { text });
}

/** Returns the account of a client. Throws `Refusal` for the admin token, which belongs to no account. */
export function accountOf(principal: Principal | undefined): string {
  if (principal === undefined) throw new Refusal('unauthorized', { text: 'Sign in first.' });
  if (principal.jid !== null) return principal.jid;
  throw notPermitted(
    'The admin token belongs to no account, so it has no files. Use the routes below /admin.',
  );
}
