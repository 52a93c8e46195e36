import type { Element } from '@xmpp/xml';
import { randomId } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';

const MAM = 'urn:xmpp:mam:2';
/** A page of any server is far smaller; what comes beyond is left to the next page. */
const MAX_RESULTS = 2000;

/** What an archive sends before it answers (XEP-0313 §4). */
export interface ArchiveResults {
  readonly messages: readonly Element[];
  collect(message: Element): boolean;
}

/**
 * Gathers the results of a question to an archive; undefined where the iq is none. The question gets an id of its
 * own where it has none, so that two at the same time are told apart.
 */
export function collectArchiveResults(iq: Element, own: string): ArchiveResults | undefined {
  const query = iq.getChild('query', MAM);
  if (query === undefined) return undefined;
  query.attrs.queryid ??= randomId();
  const { queryid } = query.attrs;
  const archive = parseBareJid(iq.attrs.to ?? own);
  const messages: Element[] = [];
  return {
    messages,
    collect(message) {
      // XEP-0313 §4.1.1: anybody may send what looks like a result.
      const from = message.attrs.from === undefined ? parseBareJid(own) : parseBareJid(message.attrs.from);
      const isOurs = from === archive && message.getChild('result', MAM)?.attrs.queryid === queryid;
      if (isOurs && messages.length < MAX_RESULTS) messages.push(message);
      return isOurs;
    },
  };
}
