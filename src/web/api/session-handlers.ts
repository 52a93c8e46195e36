import { Refusal } from '../../base/errors.ts';
import { randomId, sha256Hex, timeOrderedId } from '../../base/ids.ts';
import { authenticateAccount } from '../../messages/authenticate.ts';
import { USER_TOKEN_PREFIX } from '../../messages/user-tokens.ts';
import { readCookie, writeCookie } from '../sign-in/cookies.ts';
import { accountOf, type Principal } from '../sign-in/principal.ts';
import { SESSION_IDLE_MS, scopesOf, startSession } from '../sign-in/sessions.ts';
import { LINK_LIFETIME_MS, redeemCode, sendSignInLink } from '../sign-in/sign-in-links.ts';
import type { WebServices } from '../web-services.ts';
import type { ApiCall, Handlers } from './handlers.ts';
import { isoTime } from './present.ts';
import type { sessionRoutes } from './routes/session-routes.ts';
import { MAX_IDS } from './schemas.ts';

/** Tokens that one account may have. */
const MAX_TOKENS = 50;

/** Handlers for signing in and out, and for the tokens of a user. */
export function createSessionHandlers(services: WebServices): Handlers<keyof typeof sessionRoutes> {
  const { ledger, clock, settings, rules } = services;

  /** Returns the account that the credentials or the code prove. */
  async function authenticate(
    body: { readonly jid: string; readonly password: string } | { readonly code: string },
    { client, request }: ApiCall,
  ): Promise<string> {
    const { address } = client;
    if ('code' in body) {
      return redeemCode(services, {
        code: body.code,
        browser: readCookie(request, 'porter_browser'),
        address,
      });
    }
    if (!settings().signIn.includes('password')) {
      throw new Refusal('not_permitted', {
        text: 'Passwords are not accepted here. Ask for a sign-in link.',
      });
    }
    return (await authenticateAccount(services, body, address)).jid;
  }

  return {
    async getService() {
      const { title, contacts, signIn, guestLinks } = settings();
      return {
        title,
        contacts: [...contacts],
        signIn: [...signIn],
        guestLinks,
        thumbnails: services.thumbnails?.isOn() ?? false,
        trashMs: rules().trashMs ?? 0,
        maxRequestedIds: MAX_IDS,
      };
    },

    async getSession(_input, { principal }) {
      if (principal === undefined) throw new Refusal('unauthorized', { text: 'Not signed in.' });
      return presentSession(principal);
    },

    async signIn({ body }, call) {
      const jid = await authenticate(body, call);
      const userAgent = call.request.headers['user-agent'] ?? '';
      const { secret, principal } = await startSession(services, jid, userAgent);
      writeCookie(call.reply, call.client, 'porter_session', { secret, maxAgeMs: SESSION_IDLE_MS });
      return presentSession(principal);
    },

    async requestSignInLink({ body }, { client, request, reply }) {
      const browser = readCookie(request, 'porter_browser') ?? randomId() + randomId();
      const expiresAt = await sendSignInLink(services, { ...body, address: client.address, browser });
      writeCookie(reply, client, 'porter_browser', { secret: browser, maxAgeMs: LINK_LIFETIME_MS });
      return { expiresAt: isoTime(expiresAt) };
    },

    async signOut(_input, { principal, client, reply }) {
      if (principal?.session) await ledger.endSessions({ secretHash: principal.session.hash });
      writeCookie(reply, client, 'porter_session', { secret: '', maxAgeMs: 0 });
      return undefined;
    },

    async listSessions(_input, { principal }) {
      const sessions = await ledger.listSessions({ jid: accountOf(principal), now: clock() });
      return {
        sessions: sessions.map(({ secretHash, client, createdAt, lastUsedAt, expiresAt }) => ({
          isCurrent: secretHash === principal?.session?.hash,
          client,
          createdAt: isoTime(createdAt),
          lastUsedAt: isoTime(lastUsedAt),
          expiresAt: isoTime(expiresAt),
        })),
      };
    },

    async signOutEverywhere(_input, { principal, client, reply }) {
      await ledger.endSessions({ jid: accountOf(principal) });
      writeCookie(reply, client, 'porter_session', { secret: '', maxAgeMs: 0 });
      return undefined;
    },

    async listTokens(_input, { principal }) {
      const tokens = await ledger.listTokens(accountOf(principal));
      const known = scopesOf('admin');
      return {
        tokens: tokens.map(({ id, name, scopes, createdAt, lastUsedAt, expiresAt }) => ({
          id,
          name,
          scopes: [...known].filter((scope) => scopes.includes(scope)),
          createdAt: isoTime(createdAt),
          lastUsedAt: isoTime(lastUsedAt),
          expiresAt: isoTime(expiresAt),
        })),
      };
    },

    async createToken({ body: { name, scopes, expiresAt } }, { principal }) {
      const jid = accountOf(principal);
      const now = clock();
      const missing = scopes.find((scope) => !principal?.scopes.has(scope));
      if (missing !== undefined) {
        throw new Refusal('not_permitted', {
          text: `The token cannot have the scope ${missing}, because you do not have it yourself.`,
        });
      }
      const expiry = expiresAt === undefined ? null : Date.parse(expiresAt);
      if (expiry !== null && expiry <= now) {
        throw new Refusal('bad_request', { text: 'The token would expire in the past.' });
      }
      const secret = `${USER_TOKEN_PREFIX}${randomId()}${randomId()}`;
      const id = timeOrderedId(now);
      const token = { id, secretHash: sha256Hex(secret), jid, name, scopes: [...new Set(scopes)] };
      const isCreated = await ledger.createToken({
        token: { ...token, createdAt: now, lastUsedAt: null, expiresAt: expiry },
        limit: MAX_TOKENS,
      });
      if (!isCreated) {
        throw new Refusal('bad_request', {
          text: `You have ${MAX_TOKENS} tokens. Revoke one of them first.`,
        });
      }
      return { id, token: secret };
    },

    async revokeToken({ params: { id } }, { principal }) {
      if (!(await ledger.revokeToken({ jid: accountOf(principal), id }))) throw new Refusal('not_found');
      return undefined;
    },
  };
}

function presentSession({ jid, role, scopes, session }: Principal) {
  return {
    jid,
    role,
    scopes: [...scopes],
    csrfToken: session?.csrfToken ?? null,
    expiresAt: isoTime(session?.expiresAt ?? null),
  };
}
