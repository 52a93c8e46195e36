import { createHash } from 'node:crypto';

/** Returns the hex SHA-1 of a bare JID. The links of ejabberd contain it instead of the user. */
export function jidSha1(jid: string): string {
  return createHash('sha1').update(jid).digest('hex');
}

/** Returns the owner name of a user if only this hash is known. */
export function ownerFromSha1(sha1: string): string {
  return `sha1:${sha1.toLowerCase()}`;
}

/** Returns the hash in the name of a hashed owner; undefined for other owners. */
export function sha1FromOwner(owner: string): string | undefined {
  return /^sha1:([0-9a-f]{40})$/.exec(owner)?.[1];
}

/** Returns all owner names under which uploads of a JID may be stored. */
export function ownerNamesFor(jid: string): readonly [string, ...string[]] {
  return sha1FromOwner(jid) === undefined ? [jid, ownerFromSha1(jidSha1(jid))] : [jid];
}

/** The owner of all uploads through signed links that contain no user. */
export const ANONYMOUS_OWNER = 'external';

/** Returns whether several users share this owner. Limits per user do not apply to it. */
export function isSharedOwner(owner: string): boolean {
  return owner === ANONYMOUS_OWNER || owner.startsWith('import:');
}
