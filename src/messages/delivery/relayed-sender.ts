import type { Element } from '@xmpp/xml';
import { type ErrorCode, Refusal } from '../../base/errors.ts';
import type { JsonValue } from '../../base/json.ts';
import { type Relay, RelayError } from '../../cluster/relay.ts';
import { parseStanza } from '../../stanza/parse.ts';
import { collectArchiveResults } from './archive-results.ts';
import type { DeliveryOptions, MessageSender } from './message-sender.ts';

const TOPIC = 'send-stanza';
/** Additional milliseconds for the relay itself. */
const RELAY_MS = 5_000;

type Action =
  | { readonly act: 'deliver'; readonly options: DeliveryOptions }
  | { readonly act: 'iq'; readonly timeoutMs: number }
  | { readonly act: 'send' };

/** Result of an action: stanzas as XML, or the members of a refusal. */
type Outcome =
  | { readonly answer: string | null; readonly messages: readonly string[] }
  | { readonly refusal: { readonly code: ErrorCode; readonly text: string } & Partial<RefusalDetails> };

interface RefusalDetails {
  readonly retryAt: number;
  readonly condition: string;
}

/** Sends stanzas for the other processes. Only the leading process has the stream of a component. */
export function serveRelayedSenders(relay: Relay, componentSender: (jid: string) => MessageSender): void {
  relay.handle(TOPIC, async (payload) => {
    const { jid, stanza, ...action } = payload as unknown as Action & { jid: string; stanza: string };
    try {
      return asJson(await perform(componentSender(jid), parseStanza(stanza), action));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, message: text, retryAt, condition } = error;
      return asJson({
        refusal: { code, text, ...(retryAt && { retryAt }), ...(condition && { condition }) },
      });
    }
  });
}

async function perform(sender: MessageSender, stanza: Element, action: Action): Promise<Outcome> {
  if (action.act === 'deliver') await sender.deliver(stanza, action.options);
  if (action.act === 'send') await sender.sendStanza(stanza);
  if (action.act !== 'iq') return { answer: null, messages: [] };
  const results = collectArchiveResults(stanza, sender.jid);
  const answer = await sender.sendIq(stanza, action.timeoutMs, results?.collect);
  return { answer: answer.toString(), messages: results?.messages.map(String) ?? [] };
}

/** Returns a sender that uses the sender of this JID in the leading process. `answerTimeout` returns milliseconds. */
export function createRelayedSender(relay: Relay, jid: string, answerTimeout: () => number): MessageSender {
  async function request(stanza: Element, action: Action, timeoutMs: number) {
    const payload = asJson({ jid, stanza: stanza.toString(), ...action });
    const answer = await relay.request(TOPIC, payload, timeoutMs + RELAY_MS).catch(throwAsRefusal);
    const outcome = answer as unknown as Outcome;
    if (!('refusal' in outcome)) return outcome;
    const { code, ...details } = outcome.refusal;
    throw new Refusal(code, details);
  }

  return {
    jid,
    async deliver(message, options) {
      // One timeout until the message is written, and one until the server accepts it. For a room, one more each for the
      // join and the reflection.
      const timeouts = options.room === undefined ? 2 : 4;
      await request(message, { act: 'deliver', options }, timeouts * answerTimeout() + options.bounceWait);
    },
    async sendIq(iq, timeoutMs, collect) {
      const { answer, messages } = await request(iq, { act: 'iq', timeoutMs }, answerTimeout() + timeoutMs);
      for (const message of messages) collect?.(parseStanza(message));
      return parseStanza(answer ?? '');
    },
    async sendStanza(stanza) {
      await request(stanza, { act: 'send' }, 2 * answerTimeout());
    },
  };
}

function throwAsRefusal(error: unknown): never {
  if (!(error instanceof RelayError)) throw error;
  if (error.kind === 'failed') throw error;
  const codes = { unavailable: 'unavailable', timeout: 'no_answer', busy: 'busy' } as const;
  throw new Refusal(codes[error.kind], { cause: error });
}

/** All payloads are plain data. */
function asJson(value: object): JsonValue {
  return value as unknown as JsonValue;
}
