import type { MessageSender } from './message-sender.ts';

/**
 * Returns a sender for `jid` whose operations all run inside `run`, which chooses the underlying sender and can count
 * the operations in progress.
 */
export function wrapSender(
  jid: string,
  run: <T>(operation: (sender: MessageSender) => Promise<T>) => Promise<T>,
): MessageSender {
  return {
    jid,
    deliver: (message, options) => run((sender) => sender.deliver(message, options)),
    sendIq: (iq, timeoutMs, collect) => run((sender) => sender.sendIq(iq, timeoutMs, collect)),
    sendStanza: (stanza) => run((sender) => sender.sendStanza(stanza)),
  };
}
