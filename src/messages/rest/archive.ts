import type { Element } from '@xmpp/xml';
import { randomId } from '../../base/ids.ts';
import { bareJid } from '../../base/jid.ts';

const MAM = 'urn:xmpp:mam:2';
/** A page of any server is far smaller; what comes beyond is left to the next page. */
const MAX_RESULTS = 2000;

/** What an archive sends before it answers (XEP-0313 §4). */
export interface Results {
  readonly messages: readonly Element[];
  takes(message: Element): boolean;
}

/**
 * Gathers the results of a question to an archive; undefined where the iq is none. The question gets an id of its
 * own where it has none, so that two at the same time are told apart.
 */
export function resultsOf(iq: Element, own: string): Results | undefined {
  const query = iq.getChild('query', MAM);
  if (query === undefined) return undefined;
  query.attrs.queryid ??= randomId();
  const { queryid } = query.attrs;
  const archive = bareJid(iq.attrs.to ?? own);
  const messages: Element[] = [];
  return {
    messages,
    takes(message) {
      // XEP-0313 §4.1.1: anybody may send what looks like a result.
      const from = message.attrs.from === undefined ? bareJid(own) : bareJid(message.attrs.from);
      const isOurs = from === archive && message.getChild('result', MAM)?.attrs.queryid === queryid;
      if (isOurs && messages.length < MAX_RESULTS) messages.push(message);
      return isOurs;
    },
  };
}
