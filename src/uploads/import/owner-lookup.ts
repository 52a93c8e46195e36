import { looseJidKey, parseBareJid } from '../../base/jid.ts';
import { jidSha1, ownerFromSha1 } from '../../base/owners.ts';

/** Finds owners for services that store only a hash or a part of the JID. */
export interface OwnerLookup {
  /** Returns the owner with this hex SHA-1 of the bare JID; `sha1:…` if the JID is unknown. */
  bySha1(hex: string): string;
  /** Returns the owner with this local part, in the form of ejabberd's links. Undefined unless exactly one JID has it. */
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
    // ejabberd hashes its own spelling: that of `straße` is `strasse`.
    const stored = parseBareJid(looseJidKey(jid));
    if (stored !== undefined && stored !== jid) bySha1.set(jidSha1(stored), stored);
    const node = toUrlNode(jid);
    if (node !== undefined) byNode.set(node, byNode.has(node) ? null : jid);
  }
  return {
    bySha1: (hex) => bySha1.get(hex.toLowerCase()) ?? ownerFromSha1(hex),
    byNode: (node) => byNode.get(node) ?? undefined,
  };
}

/** Returns the local part as ejabberd's `jid_in_url: node` writes it; see docs/protocols.md, "ejabberd". */
function toUrlNode(jid: string): string | undefined {
  const at = jid.indexOf('@');
  return at < 0 ? undefined : jid.slice(0, at).replace(/[^\p{L}\p{N}_.-]/gu, '_');
}
