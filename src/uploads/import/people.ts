import { bareJid } from '../../base/jid.ts';
import { hashedOwner, sha1OfJid } from '../../base/owners.ts';

/** Who is meant by a folder that shows a JID only in disguise. */
export interface People {
  /** By the hex SHA-1 of the bare JID. An owner in any case: `sha1:…` where the JID is not known. */
  ofSha1(hex: string): string;
  /** By its local part as ejabberd puts it into links; undefined where nobody or more than one has it. */
  ofNode(node: string): string | undefined;
}

export async function knownPeople(jids: Iterable<string> | AsyncIterable<string>): Promise<People> {
  const bySha1 = new Map<string, string>();
  const byNode = new Map<string, string | null>();
  for await (const text of jids) {
    const jid = bareJid(text);
    if (jid === undefined) continue;
    const sha1 = sha1OfJid(jid);
    if (bySha1.has(sha1)) continue;
    bySha1.set(sha1, jid);
    const node = nodeOf(jid);
    if (node !== undefined) byNode.set(node, byNode.has(node) ? null : jid);
  }
  return {
    ofSha1: (hex) => bySha1.get(hex.toLowerCase()) ?? hashedOwner(hex),
    ofNode: (node) => byNode.get(node) ?? undefined,
  };
}

/** As ejabberd's `jid_in_url: node` has it (FIELD 5.5). */
function nodeOf(jid: string): string | undefined {
  const at = jid.indexOf('@');
  return at < 0 ? undefined : jid.slice(0, at).replace(/[^\p{L}\p{N}_.-]/gu, '_');
}
