import type { Element } from '@xmpp/xml';
import { randomId } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import { MAM } from '../../stanza/namespaces.ts';

/** Servers send far smaller pages. Results beyond the limit are dropped. */
const MAX_RESULTS = 2000;

/** The messages that an archive sends before it answers a query (XEP-0313 §4). */
export interface ArchiveResults {
  readonly messages: readonly Element[];
  /** Returns true if the message is a result of the query, and keeps it. */
  collect(message: Element): boolean;
}

/**
 * Collects the results of an archive query. Returns undefined if the iq is not an archive query. Adds a query id if
 * there is none, so that the results of concurrent queries can be distinguished.
 */
export function collectArchiveResults(iq: Element, senderJid: string): ArchiveResults | undefined {
  const query = iq.getChild('query', MAM);
  if (query === undefined) return undefined;
  query.attrs.queryid ??= randomId();
  const { queryid } = query.attrs;
  const archive = parseBareJid(iq.attrs.to ?? senderJid);
  const messages: Element[] = [];
  return {
    messages,
    collect(message) {
      // XEP-0313 §4.1.1: anyone can send a message that looks like a result, so its sender is checked.
      const from = parseBareJid(message.attrs.from ?? senderJid);
      const isResult = from === archive && message.getChild('result', MAM)?.attrs.queryid === queryid;
      if (isResult && messages.length < MAX_RESULTS) messages.push(message);
      return isResult;
    },
  };
}
