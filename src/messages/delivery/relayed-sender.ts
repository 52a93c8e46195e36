import type { Element } from '@xmpp/xml';
import { type ErrorCode, Refusal } from '../../base/errors.ts';
import type { JsonValue } from '../../base/json.ts';
import { type Relay, RelayError } from '../../cluster/relay.ts';
import { parseStanza } from '../../stanza/parse.ts';
import { collectArchiveResults } from './archive-results.ts';
import type { DeliveryOptions, MessageSender } from './message-sender.ts';

/** A component has one stream, held by the process that leads; the others speak through it. */
const TOPIC = 'speak';
/** For the way there and back, and for what waits before it. */
const EXTRA_MS = 5_000;

type Order =
  | { readonly act: 'deliver'; readonly options: DeliveryOptions }
  | { readonly act: 'ask'; readonly timeoutMs: number }
  | { readonly act: 'send' };

/** What the speaker had to say: stanzas as XML, a refusal as its facts. */
type Outcome =
  | { readonly answer: string | null; readonly messages: readonly string[] }
  | { readonly refusal: { readonly code: ErrorCode; readonly text: string } & Partial<Facts> };

interface Facts {
  readonly retryAt: number;
  readonly condition: string;
}

/** Speaks for the other processes while this one leads. */
export function serveRelayedSenders(relay: Relay, component: (jid: string) => MessageSender): void {
  relay.handle(TOPIC, async (payload) => {
    const { jid, stanza, ...order } = payload as unknown as Order & { jid: string; stanza: string };
    try {
      return asJson(await carryOut(component(jid), parseStanza(stanza), order));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, message: text, retryAt, condition } = error;
      return asJson({
        refusal: { code, text, ...(retryAt && { retryAt }), ...(condition && { condition }) },
      });
    }
  });
}

async function carryOut(speaker: MessageSender, stanza: Element, order: Order): Promise<Outcome> {
  if (order.act === 'deliver') await speaker.deliver(stanza, order.options);
  if (order.act === 'send') await speaker.sendStanza(stanza);
  if (order.act !== 'ask') return { answer: null, messages: [] };
  const results = collectArchiveResults(stanza, speaker.jid);
  const answer = await speaker.sendIq(stanza, order.timeoutMs, results?.collect);
  return { answer: answer.toString(), messages: results?.messages.map(String) ?? [] };
}

/** The speaker of this JID in the process that leads. `answerTimeout`: milliseconds. */
export function createRelayedSender(relay: Relay, jid: string, answerTimeout: () => number): MessageSender {
  async function order(stanza: Element, what: Order, patience: number): Promise<Outcome> {
    const payload = asJson({ jid, stanza: stanza.toString(), ...what });
    const outcome = await relay.request(TOPIC, payload, patience + EXTRA_MS).catch(refuse);
    return outcome as unknown as Outcome;
  }

  async function done(stanza: Element, what: Order, patience: number) {
    const outcome = await order(stanza, what, patience);
    if (!('refusal' in outcome)) return outcome;
    const { code, ...facts } = outcome.refusal;
    throw new Refusal(code, facts);
  }

  return {
    jid,
    async deliver(message, options) {
      // Until it is written, and until it is taken; a room is joined, and sends it back.
      const waits = options.room === undefined ? 2 : 4;
      await done(message, { act: 'deliver', options }, waits * answerTimeout() + options.bounceWait);
    },
    async sendIq(iq, timeoutMs, takes) {
      const { answer, messages } = await done(iq, { act: 'ask', timeoutMs }, answerTimeout() + timeoutMs);
      for (const message of messages) takes?.(parseStanza(message));
      return parseStanza(answer ?? '');
    },
    async sendStanza(stanza) {
      await done(stanza, { act: 'send' }, 2 * answerTimeout());
    },
  };
}

function refuse(fault: unknown): never {
  if (!(fault instanceof RelayError)) throw fault;
  const codes = { unavailable: 'unavailable', timeout: 'no_answer', busy: 'busy' } as const;
  if (fault.kind === 'failed') throw fault;
  throw new Refusal(codes[fault.kind], { cause: fault });
}

/** All of it is plain data. */
function asJson(value: object): JsonValue {
  return value as unknown as JsonValue;
}
