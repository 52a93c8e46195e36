import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { Ledger, QueuedItem } from '../../ledger/contract/ledger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { StanzaTooDeepError, toCanonical } from '../../stanza/canonical.ts';
import { parseStanza } from '../../stanza/parse-stanza.ts';
import type { StanzaHandler } from '../../stanza/stanza-handler.ts';
import type { MessageSenders } from '../delivery/message-sender.ts';
import { createKeyedQueue } from '../queue/keyed-queue.ts';
import {
  type AttemptResult,
  type QueueRunner,
  type QueueServices,
  startQueueRunner,
} from '../queue/queue-runner.ts';
import { type HttpClient, type HttpClientResponse, networkErrorReason } from './http-client.ts';
import { type CallbackResult, interpretResponse, unreachableResult } from './reply.ts';
import {
  type CallbackRules,
  createFormatRequest,
  createStanzaRequest,
  parseAcceptedFormat,
  type StanzaFormat,
  type StanzaKind,
} from './request.ts';

export interface CallbackServices extends QueueServices {
  readonly ledger: QueueServices['ledger'] & Pick<Ledger, 'enqueue'>;
  readonly metrics: Pick<Metrics, 'callbackAttempted'>;
  readonly senders: Pick<MessageSenders, 'componentSender'>;
  /** Can this address at our component speak now? While it cannot, nothing is handed over that it may have to answer. */
  readonly isConnected: (jid: string) => boolean;
  /** Null where stanzas are not passed on. Asked for each stanza; a reload may change it. */
  readonly rules: () => CallbackRules | null;
  readonly httpClient: HttpClient;
  /** The JID of our component: whose name the receiver is asked under what it takes. */
  readonly componentJid: string;
}

/** Passes on what reaches the component to an HTTP address, and its answers back. */
export interface Callbacks {
  /** Resolves once the stanza is safe, or, for an iq, once it is answered. */
  readonly onStanza: StanzaHandler;
  /** Starts to hand over what waits; while this process leads. */
  start(): void;
  /** What is under way may end for so many milliseconds. What waits goes on waiting. */
  stop(graceMs?: number): Promise<void>;
}

/** Requests at one time: for what waits, and for iqs, which cannot. */
const AT_ONCE = 16;
const IQS_AT_ONCE = 100;
/** Stanzas that may be on their way into the ledger at one time. */
const ARRIVING = 1000;
/** A speaker has told by then what became of a reply. */
const REPLY_MS = 30_000;

/**
 * Messages and presence are written down first and handed over in the order of their sender, again and again until
 * somebody has taken them or their time is over. An iq is asked at once and once: nobody waits for it any longer.
 */
export function createCallbacks(deps: CallbackServices): Callbacks {
  const { clock, log, metrics } = deps;
  const arriving = createKeyedQueue();
  const receiver = createReceiver(deps);
  let ending = new AbortController();
  let iqs = 0;
  let runner: QueueRunner | undefined;

  async function onStanza(stanza: Element): Promise<boolean> {
    const rules = deps.rules();
    if (rules === null || !rules.stanzas.includes(stanza.name as StanzaKind)) return false;
    const whole = wholeStanza(stanza);
    if (stanza.name === 'iq') await ask(rules, whole);
    else await keep(rules, whole);
    return true;
  }

  async function keep({ keepTrying, maxWaiting }: CallbackRules, stanza: Element): Promise<void> {
    if (arriving.size >= ARRIVING) throw new Refusal('busy');
    const queueKey = parseBareJid(stanza.attrs.from ?? '') ?? '';
    const body = JSON.stringify({ delivery: randomId(), stanza: stanza.toString() } satisfies Kept);
    const now = clock();
    const order = {
      queue: 'callback',
      queueKey,
      owner: queueKey,
      body,
      now,
      giveUpAt: now + keepTrying,
    } as const;
    const kept = await arriving.run(queueKey, () => deps.ledger.enqueue({ ...order, limit: maxWaiting }));
    if (kept.outcome === 'full') throw new Refusal('queue_full', { text: 'Too much waits here already.' });
    runner?.wake();
  }

  async function ask(rules: CallbackRules, stanza: Element): Promise<void> {
    if (iqs >= IQS_AT_ONCE) throw new Refusal('busy');
    iqs += 1;
    const signal = AbortSignal.any([AbortSignal.timeout(rules.timeout), ending.signal]);
    try {
      const { mayRetry, reply } = await receiver.hand(rules, stanza, randomId(), signal);
      metrics.callbackAttempted(mayRetry ? 'given_up' : 'taken');
      if (reply) await speakerOf(deps, stanza).sendStanza(reply);
    } finally {
      iqs -= 1;
    }
  }

  /** What each last try came to, for those that are then given up. */
  const verdicts = new WeakMap<QueuedItem, CallbackResult>();

  async function attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult> {
    const rules = deps.rules();
    if (rules === null) return { outcome: 'not_now' };
    const { delivery, stanza: text } = JSON.parse(item.body) as Kept;
    const stanza = parseStanza(text);
    if (!deps.isConnected(stanza.attrs.to ?? '')) return { outcome: 'not_now' };
    const inTime = AbortSignal.any([AbortSignal.timeout(rules.timeout), signal]);
    const verdict = await receiver.hand(rules, stanza, delivery, inTime);
    if (!verdict.mayRetry) {
      const sent = await sendBack(deps, stanza, verdict.reply);
      if (sent.outcome === 'done') metrics.callbackAttempted('taken');
      return sent;
    }
    verdicts.set(item, verdict);
    metrics.callbackAttempted('failed');
    return { outcome: 'failed', retryAt: verdict.retryAt };
  }

  async function giveUp(item: QueuedItem): Promise<void> {
    metrics.callbackAttempted('given_up');
    log.warn(
      { from: item.queueKey, tries: item.attempts + 1 },
      'a stanza was given up: the callback never took it',
    );
    const stanza = parseStanza((JSON.parse(item.body) as Kept).stanza);
    await sendBack(deps, stanza, (verdicts.get(item) ?? unreachableResult(stanza)).reply);
  }

  return {
    onStanza,
    start() {
      ending = new AbortController();
      const attemptTimeout = () => (deps.rules()?.timeout ?? 0) + REPLY_MS;
      runner = startQueueRunner(deps, {
        queue: 'callback',
        concurrency: AT_ONCE,
        attemptTimeout,
        attempt,
        giveUp,
      });
    },
    async stop(graceMs) {
      await runner?.stop(graceMs);
      runner = undefined;
      ending.abort();
    },
  };
}

/** A stanza as it lies in the ledger. */
interface Kept {
  /** Tells the receiver that two requests are the same stanza. */
  readonly delivery: string;
  readonly stanza: string;
}

/** As it means the same without the stream it came by. */
function wholeStanza(stanza: Element): Element {
  try {
    return toCanonical(stanza);
  } catch (error) {
    if (!(error instanceof StanzaTooDeepError)) throw error;
    throw new Refusal('bad_request', { text: error.message, cause: error });
  }
}

const speakerOf = ({ senders }: CallbackServices, stanza: Element) =>
  senders.componentSender(stanza.attrs.to ?? '');

/** Without the stream it is asked again later, under the same delivery: a reply must not get lost. */
async function sendBack(
  deps: CallbackServices,
  stanza: Element,
  reply: Element | undefined,
): Promise<AttemptResult> {
  try {
    if (reply) await speakerOf(deps, stanza).sendStanza(reply);
    return { outcome: 'done' };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.code === 'unavailable' || error.code === 'busy') return { outcome: 'not_now' };
    if (error.code === 'no_answer') return { outcome: 'failed' };
    deps.log.info({ err: error }, 'a reply was not taken');
    return { outcome: 'done' };
  }
}

/** The address behind the rules, and what is known of it. */
function createReceiver({ httpClient, clock, log, componentJid }: CallbackServices) {
  let asked: { url: string; format: StanzaFormat } | undefined;
  let isFailing = false;

  /** The form that the receiver wants; asked once for each URL that there is, as soon as it answers. */
  async function formatFor(rules: CallbackRules, signal: AbortSignal): Promise<StanzaFormat> {
    if (asked?.url === rules.url) return asked.format;
    const { maxSize } = rules;
    const answer = await httpClient(createFormatRequest(rules, componentJid, clock()), {
      maxBytes: maxSize,
      signal,
    });
    const named = answer.status === 200 ? parseAcceptedFormat(answer.header('accept') ?? '') : undefined;
    asked = { url: rules.url, format: named ?? rules.format };
    return asked.format;
  }

  async function answerTo(
    rules: CallbackRules,
    stanza: Element,
    delivery: string,
    signal: AbortSignal,
  ): Promise<HttpClientResponse | undefined> {
    const noAnswer = (error: unknown) => tell(true, networkErrorReason(error));
    const format = await formatFor(rules, signal).catch(noAnswer);
    if (!format) return undefined;
    const request = createStanzaRequest(rules, { stanza, format, delivery, now: clock() });
    return (await httpClient(request, { maxBytes: rules.maxSize, signal }).catch(noAnswer)) ?? undefined;
  }

  /** Once each time it changes: a receiver that is away would fill the log otherwise. */
  function tell(fails: boolean, reason: string | number): void {
    if (fails === isFailing) return;
    isFailing = fails;
    if (fails) log.warn({ reason }, 'the callback takes no stanzas; they wait');
    else log.info('the callback takes stanzas');
  }

  return {
    /** Never rejects for what the receiver or the network does. */
    async hand(
      rules: CallbackRules,
      stanza: Element,
      delivery: string,
      signal: AbortSignal,
    ): Promise<CallbackResult> {
      const answer = await answerTo(rules, stanza, delivery, signal);
      if (answer === undefined) return unreachableResult(stanza);
      const verdict = interpretResponse(stanza, answer, clock());
      tell(verdict.mayRetry, answer.status);
      return verdict;
    },
  };
}
