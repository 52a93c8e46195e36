import xml, { type Element } from '@xmpp/xml';
import { PING } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

export interface KeepaliveOptions {
  /** Silence in milliseconds after which a ping is sent. */
  readonly pingAfterMs: number;
  /** Milliseconds that the server has to send anything after a ping. */
  readonly pingTimeoutMs: number;
}

/**
 * Destroys a connection that is dead although no side closed it, for example after a power loss or because a firewall
 * dropped its state. The ping (XEP-0199) is addressed to the component itself: every server has to route it back. Ends
 * with the connection and does not keep the process alive.
 */
export function startKeepalive(
  connection: ComponentConnection,
  jid: string,
  { pingAfterMs, pingTimeoutMs }: KeepaliveOptions,
): void {
  let lastCount = connection.receivedCount();
  let timer: NodeJS.Timeout;
  const waitForSilence = () => {
    timer = setTimeout(pingIfSilent, pingAfterMs).unref();
  };
  const pingIfSilent = () => {
    if (connection.receivedCount() !== lastCount) {
      lastCount = connection.receivedCount();
      return waitForSilence();
    }
    connection.send(selfPing(jid)).catch((error: unknown) => connection.destroy(error as Error));
    // If this process itself was suspended, the event loop first reads the data that has arrived meanwhile.
    timer = setTimeout(() => setImmediate(checkAnswer), pingTimeoutMs).unref();
  };
  const checkAnswer = () => {
    if (connection.receivedCount() === lastCount) {
      connection.destroy(new Error('the server does not answer pings'));
    } else {
      waitForSilence();
    }
  };
  waitForSilence();
  void connection.ended.then(() => clearTimeout(timer));
}

function selfPing(jid: string): Element {
  return xml('iq', { type: 'get', from: jid, to: jid, id: 'keepalive' }, xml('ping', PING));
}
