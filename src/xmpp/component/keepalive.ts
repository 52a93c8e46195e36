import xml from '@xmpp/xml';
import { PING } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

export interface KeepaliveOptions {
  /** Milliseconds of silence after which the server is asked for a sign of life. */
  readonly pingAfterMs: number;
  /** Milliseconds that it has for one. */
  readonly pingTimeoutMs: number;
}

/**
 * Finds out that a connection is dead although nothing closed it (a server without power, a firewall that
 * forgot). The ping goes to the component itself: the server has to pass it on, and every server can. Ends
 * with the connection, and keeps no process alive.
 */
export function startKeepalive(connection: ComponentConnection, jid: string, times: KeepaliveOptions): void {
  let heard = connection.receivedCount();
  let timer: NodeJS.Timeout;
  const listen = () => {
    timer = setTimeout(ask, times.pingAfterMs).unref();
  };
  const ask = () => {
    if (connection.receivedCount() !== heard) {
      heard = connection.receivedCount();
      return listen();
    }
    connection.send(selfPing(jid)).catch((error: unknown) => connection.destroy(error as Error));
    // If this process itself stood still, what came meanwhile is heard first.
    timer = setTimeout(() => setImmediate(judge), times.pingTimeoutMs).unref();
  };
  const judge = () => {
    if (connection.receivedCount() === heard) connection.destroy(new Error('the server has fallen silent'));
    else listen();
  };
  listen();
  void connection.ended.then(() => clearTimeout(timer));
}

function selfPing(jid: string) {
  return xml('iq', { type: 'get', from: jid, to: jid, id: 'keepalive' }, xml('ping', PING));
}
