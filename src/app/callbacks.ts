import { parseJid } from '../base/jid.ts';
import type { Config } from '../config/load.ts';
import type { CallbackRules } from '../messages/callback-request.ts';
import { type Callbacks, createCallbacks } from '../messages/callbacks.ts';
import { httpCall } from '../messages/http-call.ts';
import type { Speakers } from '../messages/speaker.ts';
import type { StreamStatus } from '../xmpp/stream.ts';
import type { House } from './house.ts';

/** What passes stanzas on to `messages.callback_url`; without one it takes none, until a reload brings one. */
export function callbacksOf(
  { deps, config, current }: House,
  speakers: Speakers,
  streams: () => readonly StreamStatus[],
): Callbacks {
  return createCallbacks({
    ...deps,
    speakers,
    canSpeak: (to) => streams().some(({ jid, up }) => up && jid === parseJid(to)?.domain),
    callbacks: () => rulesOf(current().config),
    call: httpCall,
    host: config.component[0]?.jid ?? '',
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
