import { parseBareJid } from '../../base/jid.ts';
import { jidSha1, ownerFromSha1 } from '../../base/owners.ts';

/** Who is meant by a folder that shows a JID only in disguise. */
export interface OwnerLookup {
  /** By the hex SHA-1 of the bare JID. An owner in any case: `sha1:…` where the JID is not known. */
  bySha1(hex: string): string;
  /** By its local part as ejabberd puts it into links; undefined where nobody or more than one has it. */
  byNode(node: string): string | undefined;
}

export async function createOwnerLookup(
  jids: Iterable<string> | AsyncIterable<string>,
): Promise<OwnerLookup> {
  const bySha1 = new Map<string, string>();
  const byNode = new Map<string, string | null>();
  for await (const text of jids) {
    const jid = parseBareJid(text);
    if (jid === undefined) continue;
    const sha1 = jidSha1(jid);
    if (bySha1.has(sha1)) continue;
    bySha1.set(sha1, jid);
    const node = nodeOf(jid);
    if (node !== undefined) byNode.set(node, byNode.has(node) ? null : jid);
  }
  return {
    bySha1: (hex) => bySha1.get(hex.toLowerCase()) ?? ownerFromSha1(hex),
    byNode: (node) => byNode.get(node) ?? undefined,
  };
}

/** As ejabberd's `jid_in_url: node` has it (FIELD 5.5). */
function nodeOf(jid: string): string | undefined {
  const at = jid.indexOf('@');
  return at < 0 ? undefined : jid.slice(0, at).replace(/[^\p{L}\p{N}_.-]/gu, '_');
}
