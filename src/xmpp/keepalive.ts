import xml from '@xmpp/xml';
import type { Connection } from './connection.ts';
import { PING } from './namespaces.ts';

export interface KeepaliveTimes {
  /** Milliseconds of silence after which the server is asked for a sign of life. */
  readonly askAfter: number;
  /** Milliseconds that it has for one. */
  readonly giveUpAfter: number;
}

/**
 * Finds out that a connection is dead although nothing closed it (a server without power, a firewall that
 * forgot). The ping goes to the component itself: the server has to pass it on, and every server can. Ends
 * with the connection, and keeps no process alive.
 */
export function keepAlive(connection: Connection, jid: string, times: KeepaliveTimes): void {
  let heard = connection.heard();
  let timer: NodeJS.Timeout;
  const listen = () => {
    timer = setTimeout(ask, times.askAfter).unref();
  };
  const ask = () => {
    if (connection.heard() !== heard) {
      heard = connection.heard();
      return listen();
    }
    connection.send(selfPing(jid)).catch((error: unknown) => connection.drop(error as Error));
    // If this process itself stood still, what came meanwhile is heard first.
    timer = setTimeout(() => setImmediate(judge), times.giveUpAfter).unref();
  };
  const judge = () => {
    if (connection.heard() === heard) connection.drop(new Error('the server has fallen silent'));
    else listen();
  };
  listen();
  void connection.ended.then(() => clearTimeout(timer));
}

function selfPing(jid: string) {
  return xml('iq', { type: 'get', from: jid, to: jid, id: 'keepalive' }, xml('ping', PING));
}
