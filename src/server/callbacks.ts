import { parseJid } from '../base/jid.ts';
import type { Config } from '../config/load.ts';
import { type Callbacks, createCallbacks } from '../messages/callbacks/callbacks.ts';
import { httpClient } from '../messages/callbacks/http-client.ts';
import type { CallbackRules } from '../messages/callbacks/request.ts';
import type { MessageSenders } from '../messages/delivery/message-sender.ts';
import type { ComponentStreamStatus } from '../xmpp/component/reconnecting-stream.ts';
import type { Runtime } from './runtime.ts';

/** What passes stanzas on to `messages.callback_url`; without one it takes none, until a reload brings one. */
export function createServerCallbacks(
  { services, config, settings }: Runtime,
  senders: MessageSenders,
  streams: () => readonly ComponentStreamStatus[],
): Callbacks {
  return createCallbacks({
    ...services,
    senders,
    isConnected: (to) => streams().some(({ jid, up }) => up && jid === parseJid(to)?.domain),
    rules: () => rulesOf(settings().config),
    httpClient: httpClient,
    componentJid: config.component[0]?.jid ?? '',
  });
}

function rulesOf({ messages }: Config): CallbackRules | null {
  if (messages === null || messages.callback_url === null) return null;
  const { format, secret, stanzas, timeout, keep_trying, max_waiting } = messages.callback;
  return {
    url: messages.callback_url,
    format,
    secret,
    stanzas,
    timeout,
    keepTrying: keep_trying,
    maxWaiting: max_waiting,
    maxSize: messages.max_size,
  };
}
