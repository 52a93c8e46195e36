import { MAX_CODE_ATTEMPTS, type SignInLink, type WebSession, type WebToken } from '../../contract/web.ts';
import type { Queryable } from '../database.ts';

const SESSION = `secret_hash as "secretHash", jid, client, created_at as "createdAt", last_used_at as "lastUsedAt",
  expires_at as "expiresAt"`;

/** Implements `WebStore.createSession`. */
export async function insertSession(q: Queryable, session: WebSession): Promise<void> {
  const { secretHash, jid, client, createdAt, lastUsedAt, expiresAt } = session;
  await q.query(
    `insert into web_sessions (secret_hash, jid, client, created_at, last_used_at, expires_at)
      values ($1, $2, $3, $4, $5, $6)`,
    [secretHash, jid, client, createdAt, lastUsedAt, expiresAt],
  );
}

/** Implements `WebStore.findSession`. */
export async function querySession(
  q: Queryable,
  { secretHash, now }: { secretHash: string; now: number },
): Promise<WebSession | undefined> {
  const [session] = await q.query<WebSession>(
    `select ${SESSION} from web_sessions where secret_hash = $1 and expires_at > $2`,
    [secretHash, now],
  );
  return session && { ...session };
}

/** Implements `WebStore.extendSession`. */
export async function updateSession(
  q: Queryable,
  { secretHash, lastUsedAt, expiresAt }: Pick<WebSession, 'secretHash' | 'lastUsedAt' | 'expiresAt'>,
): Promise<void> {
  await q.query('update web_sessions set last_used_at = $2, expires_at = $3 where secret_hash = $1', [
    secretHash,
    lastUsedAt,
    expiresAt,
  ]);
}

/** Implements `WebStore.listSessions`. */
export async function querySessions(
  q: Queryable,
  { jid, now }: { jid: string; now: number },
): Promise<WebSession[]> {
  const rows = await q.query<WebSession>(
    `select ${SESSION} from web_sessions where jid = $1 and expires_at > $2
      order by last_used_at desc, secret_hash limit 200`,
    [jid, now],
  );
  return rows.map((row) => ({ ...row }));
}

/** Implements `WebStore.endSessions`. */
export async function deleteSessions(
  q: Queryable,
  which: { secretHash: string } | { jid: string },
): Promise<number> {
  const [column, value] =
    'jid' in which ? (['jid', which.jid] as const) : (['secret_hash', which.secretHash] as const);
  return (await q.query(`delete from web_sessions where ${column} = $1 returning 1 as one`, [value])).length;
}

interface TokenRow extends Omit<WebToken, 'scopes'> {
  readonly scopes: string;
}

const TOKEN = `id, secret_hash as "secretHash", jid, name, scopes, created_at as "createdAt", last_used_at as "lastUsedAt",
  expires_at as "expiresAt"`;

const toToken = ({ scopes, ...row }: TokenRow): WebToken => ({ ...row, scopes: scopes.split(' ') });

/** Implements `WebStore.createToken`. */
export async function insertToken(
  q: Queryable,
  { token, limit }: { token: WebToken; limit: number },
): Promise<boolean> {
  const { id, secretHash, jid, name, scopes, createdAt, lastUsedAt, expiresAt } = token;
  const existing = await q.query('select 1 as one from web_tokens where jid = $1 limit $2', [jid, limit]);
  if (existing.length >= limit) return false;
  await q.query(
    `insert into web_tokens (id, secret_hash, jid, name, scopes, created_at, last_used_at, expires_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, secretHash, jid, name, scopes.join(' '), createdAt, lastUsedAt, expiresAt],
  );
  return true;
}

/** Implements `WebStore.findToken`. */
export async function queryToken(
  q: Queryable,
  { secretHash, now }: { secretHash: string; now: number },
): Promise<WebToken | undefined> {
  const [row] = await q.query<TokenRow>(
    `select ${TOKEN} from web_tokens where secret_hash = $1 and (expires_at is null or expires_at > $2)`,
    [secretHash, now],
  );
  return row && toToken(row);
}

/** Implements `WebStore.recordTokenUse`. */
export async function updateTokenUse(q: Queryable, { id, now }: { id: string; now: number }): Promise<void> {
  await q.query('update web_tokens set last_used_at = $2 where id = $1', [id, now]);
}

/** Implements `WebStore.listTokens`. */
export async function queryTokens(q: Queryable, jid: string): Promise<WebToken[]> {
  const rows = await q.query<TokenRow>(
    `select ${TOKEN} from web_tokens where jid = $1 order by id desc limit 1000`,
    [jid],
  );
  return rows.map(toToken);
}

/** Implements `WebStore.revokeToken`. */
export async function deleteToken(q: Queryable, { jid, id }: { jid: string; id: string }): Promise<boolean> {
  const deleted = await q.query('delete from web_tokens where jid = $1 and id = $2 returning 1 as one', [
    jid,
    id,
  ]);
  return deleted.length > 0;
}

/** Implements `WebStore.createSignInLink`. */
export async function upsertSignInLink(q: Queryable, link: SignInLink): Promise<void> {
  const { browserHash, codeHash, jid, expiresAt } = link;
  await q.query(
    `insert into sign_in_links (browser_hash, code_hash, jid, attempts, expires_at) values ($1, $2, $3, 0, $4)
      on conflict (browser_hash) do update set code_hash = excluded.code_hash, jid = excluded.jid, attempts = 0,
        expires_at = excluded.expires_at`,
    [browserHash, codeHash, jid, expiresAt],
  );
}

/** Implements `WebStore.useSignInLink`. Only one of two requests at once deletes the row, so only one of them succeeds. */
export async function takeSignInLink(
  q: Queryable,
  { browserHash, codeHash, now }: { browserHash: string; codeHash: string; now: number },
): Promise<string | undefined> {
  const [used] = await q.query<{ jid: string }>(
    'delete from sign_in_links where browser_hash = $1 and code_hash = $2 and expires_at > $3 returning jid',
    [browserHash, codeHash, now],
  );
  if (used) return used.jid;
  await q.query('update sign_in_links set attempts = attempts + 1 where browser_hash = $1', [browserHash]);
  await q.query('delete from sign_in_links where browser_hash = $1 and attempts >= $2', [
    browserHash,
    MAX_CODE_ATTEMPTS,
  ]);
  return undefined;
}
