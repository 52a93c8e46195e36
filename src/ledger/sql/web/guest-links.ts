import type { AuditEntry, GuestLinkRecord } from '../../contract/web.ts';
import type { Queryable, SqlValue } from '../database.ts';

const LINK = `id, secret_hash as "secretHash", jid, note, max_bytes as "maxBytes", max_files as "maxFiles",
  used_bytes as "usedBytes", used_files as "usedFiles", created_at as "createdAt", expires_at as "expiresAt"`;

/** Implements `WebStore.createGuestLink`. */
export async function insertGuestLink(
  q: Queryable,
  { link, limit }: { link: GuestLinkRecord; limit: number },
): Promise<boolean> {
  const existing = await q.query('select 1 as one from guest_links where jid = $1 limit $2', [
    link.jid,
    limit,
  ]);
  if (existing.length >= limit) return false;
  const { id, secretHash, jid, note, maxBytes, maxFiles, usedBytes, usedFiles, createdAt, expiresAt } = link;
  await q.query(
    `insert into guest_links
      (id, secret_hash, jid, note, max_bytes, max_files, used_bytes, used_files, created_at, expires_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [id, secretHash, jid, note, maxBytes, maxFiles, usedBytes, usedFiles, createdAt, expiresAt],
  );
  return true;
}

/** Implements `WebStore.findGuestLink`. */
export async function queryGuestLink(
  q: Queryable,
  { secretHash, now }: { secretHash: string; now: number },
): Promise<GuestLinkRecord | undefined> {
  const [link] = await q.query<GuestLinkRecord>(
    `select ${LINK} from guest_links where secret_hash = $1 and expires_at > $2`,
    [secretHash, now],
  );
  return link && { ...link };
}

/** Implements `WebStore.chargeGuestLink`. One statement, so that two guests at once cannot exceed the limit. */
export async function chargeGuestLinkRow(
  q: Queryable,
  { secretHash, bytes, now }: { secretHash: string; bytes: number; now: number },
): Promise<boolean> {
  const charged = await q.query(
    `update guest_links set used_bytes = used_bytes + $2, used_files = used_files + $3
      where secret_hash = $1 and expires_at > $4
        and (max_bytes is null or used_bytes + $2 <= max_bytes) and (max_files is null or used_files + $3 <= max_files)
      returning 1 as one`,
    [secretHash, bytes, bytes < 0 ? -1 : 1, now],
  );
  return charged.length > 0;
}

/** Implements `WebStore.listGuestLinks`. */
export async function queryGuestLinks(
  q: Queryable,
  { jid, now }: { jid: string; now: number },
): Promise<GuestLinkRecord[]> {
  const rows = await q.query<GuestLinkRecord>(
    `select ${LINK} from guest_links where jid = $1 and expires_at > $2 order by id desc limit 1000`,
    [jid, now],
  );
  return rows.map((row) => ({ ...row }));
}

/** Implements `WebStore.revokeGuestLink`. */
export async function deleteGuestLink(
  q: Queryable,
  { jid, id }: { jid: string; id: string },
): Promise<boolean> {
  const deleted = await q.query('delete from guest_links where jid = $1 and id = $2 returning 1 as one', [
    jid,
    id,
  ]);
  return deleted.length > 0;
}

/** Implements `WebStore.recordAudit`. */
export async function insertAudit(q: Queryable, entry: AuditEntry): Promise<void> {
  const { id, at, actor, address, action, subject, files, bytes } = entry;
  await q.query(
    `insert into audit (id, at, actor, address, action, subject, files, bytes)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, at, actor, address, action, subject, files, bytes],
  );
}

/** Implements `WebStore.listAudit`. */
export async function queryAudit(
  q: Queryable,
  { before, limit }: { before?: string; limit: number },
): Promise<AuditEntry[]> {
  const params: SqlValue[] = [limit];
  const where = before === undefined ? '' : `where id < $${params.push(before)}`;
  const rows = await q.query<AuditEntry>(
    `select id, at, actor, address, action, subject, files, bytes from audit ${where} order by id desc limit $1`,
    params,
  );
  return rows.map((row) => ({ ...row }));
}

/** Deletes the sessions, tokens and links of an account, and its JID in the audit. For `AdminStore.forget`. */
export async function forgetWebUser(q: Queryable, jid: string): Promise<void> {
  for (const table of ['web_sessions', 'web_tokens', 'sign_in_links', 'guest_links'])
    await q.query(`delete from ${table} where jid = $1`, [jid]);
  await q.query("update audit set actor = '', address = '' where actor = $1", [jid]);
  await q.query("update audit set subject = '' where subject = $1", [jid]);
}
