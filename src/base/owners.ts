import { createHash } from 'node:crypto';

/** Hex SHA-1 of a bare JID: how ejabberd names a user in its links. */
export function sha1OfJid(jid: string): string {
  return createHash('sha1').update(jid).digest('hex');
}

/** The owner of uploads of a user who is known by this hash only. */
export function hashedOwner(sha1: string): string {
  return `sha1:${sha1.toLowerCase()}`;
}

/** The hash in such a name; undefined in any other. */
export function hashOf(owner: string): string | undefined {
  return /^sha1:([0-9a-f]{40})$/.exec(owner)?.[1];
}

/** Every name under which uploads of a JID may be kept. */
export function namesOf(jid: string): readonly [string, ...string[]] {
  return hashOf(jid) === undefined ? [jid, hashedOwner(sha1OfJid(jid))] : [jid];
}

/** The one owner of all uploads through signed links that name no user. */
export const NOBODY = 'external';

/** Is this many people under one name? Then no limit of a single one holds for it. */
export function isShared(owner: string): boolean {
  return owner === NOBODY || owner.startsWith('import:');
}
