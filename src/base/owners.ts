import { createHash } from 'node:crypto';

/** Hex SHA-1 of a bare JID: how ejabberd names a user in its links. */
export function jidSha1(jid: string): string {
  return createHash('sha1').update(jid).digest('hex');
}

/** The owner of uploads of a user who is known by this hash only. */
export function ownerFromSha1(sha1: string): string {
  return `sha1:${sha1.toLowerCase()}`;
}

/** The hash in such a name; undefined in any other. */
export function sha1FromOwner(owner: string): string | undefined {
  return /^sha1:([0-9a-f]{40})$/.exec(owner)?.[1];
}

/** Every name under which uploads of a JID may be kept. */
export function ownerNamesFor(jid: string): readonly [string, ...string[]] {
  return sha1FromOwner(jid) === undefined ? [jid, ownerFromSha1(jidSha1(jid))] : [jid];
}

/** The one owner of all uploads through signed links that name no user. */
export const ANONYMOUS_OWNER = 'external';

/** Is this many people under one name? Then no limit of a single one holds for it. */
export function isSharedOwner(owner: string): boolean {
  return owner === ANONYMOUS_OWNER || owner.startsWith('import:');
}
