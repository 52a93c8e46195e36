import xml, { type Element } from '@xmpp/xml';
import { type Clock, parseDateTime } from '../../base/clock.ts';
import { TIME } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

/** Compares the clock of the XMPP server with the local clock (XEP-0202). */
export interface ClockSkewProbe {
  /** Takes the answer to a time query. Returns false for every other stanza. */
  handle(stanza: Element): boolean;
  /** Sends a time query now and every ten minutes until the connection ends. Does not keep the process alive. */
  start(connection: Pick<ComponentConnection, 'send' | 'ended'>): void;
}

const QUERY_INTERVAL_MS = 10 * 60_000;
const QUERY_ID = 'clock';

/**
 * `report` gets the milliseconds by which the server's clock is ahead. The comparison assumes that the server read its
 * clock halfway between query and answer; servers answer in whole seconds. Calls `onUnsupported` instead if the server answers without a
 * time, or if the component's domain is not a subdomain of the server's.
 */
export function createClockSkewProbe(
  jid: string,
  clock: Clock,
  report: (skewMs: number) => void,
  onUnsupported: () => void = () => {},
): ClockSkewProbe {
  const server = jid.slice(jid.indexOf('.') + 1);
  let sentAt = 0;

  async function sendQuery(connection: Pick<ComponentConnection, 'send'>): Promise<void> {
    sentAt = clock();
    const query = xml('iq', { type: 'get', from: jid, to: server, id: QUERY_ID }, xml('time', TIME));
    await connection.send(query).catch(() => {
      // The connection has ended. The next connection sends its own query.
    });
  }

  return {
    handle(stanza) {
      const { id, from, type } = stanza.attrs;
      if (stanza.name !== 'iq' || id !== QUERY_ID || from !== server) return false;
      if (type !== 'result' && type !== 'error') return false;
      const receivedAt = clock();
      const serverTime = parseDateTime(stanza.getChild('time', TIME)?.getChild('utc')?.getText() ?? '');
      if (serverTime === undefined) onUnsupported();
      else report(serverTime - (sentAt + receivedAt) / 2);
      return true;
    },
    start(connection) {
      if (server === jid) {
        onUnsupported();
        return;
      }
      void sendQuery(connection);
      const timer = setInterval(() => void sendQuery(connection), QUERY_INTERVAL_MS).unref();
      void connection.ended.then(() => clearInterval(timer));
    },
  };
}
