import type { Element } from '@xmpp/xml';
import { createSharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import type { Ledger, QueuedItem } from '../../ledger/contract/ledger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { StanzaTooComplexError, toCanonical } from '../../stanza/canonical.ts';
import type { StanzaKind } from '../../stanza/json/stanza-kind.ts';
import { parseStanza } from '../../stanza/parse.ts';
import type { StanzaHandler } from '../../stanza/stanza-handler.ts';
import type { MessageSenders } from '../delivery/message-sender.ts';
import { createKeyedQueue } from '../queue/keyed-queue.ts';
import {
  type AttemptResult,
  type QueueRunner,
  type QueueServices,
  startQueueRunner,
} from '../queue/queue-runner.ts';
import { CallbackReceiver, type ReceiverServices } from './receiver.ts';
import { type CallbackResult, unreachableResult } from './reply.ts';
import type { CallbackRules } from './request.ts';

export type CallbackServices = QueueServices &
  ReceiverServices & {
    readonly ledger: Pick<Ledger, 'enqueue'>;
    readonly metrics: Pick<Metrics, 'callbackAttempted'>;
    readonly senders: Pick<MessageSenders, 'componentSender'>;
    /** Returns true if the component of this JID is connected. Otherwise replies could not be sent, so delivery pauses. */
    readonly isConnected: (jid: string) => boolean;
    /** Returns null if stanzas are not posted. Called for each stanza, because a reload may change it. */
    readonly rules: () => CallbackRules | null;
  };

/** Posts stanzas that reach the component to an HTTP address, and sends the responses back as replies. */
export interface Callbacks {
  /** Resolves when the stanza is durable; for an iq, when it is answered. */
  readonly onStanza: StanzaHandler;
  /** Starts to post queued stanzas. Called when this process begins to lead. */
  start(): void;
  /** Stops. Running requests have `graceMs` to finish; all other stanzas stay queued. */
  stop(graceMs?: number): Promise<void>;
}

/** Concurrent requests: for queued stanzas, and for iqs, which are not queued. */
const CONCURRENCY = 16;
const MAX_IQS = 100;
/** Stanzas that may be written to the ledger at the same time. */
const MAX_WRITES = 1000;
/** The same limits for one sender or one remote domain. */
const MAX_IQS_PER_KEY = MAX_IQS / 4;
const MAX_WRITES_PER_KEY = MAX_WRITES / 4;
/** Part of the queue that one sender may fill. */
const SENDER_SHARE = 1 / 20;
/** Part of the queue that one remote domain may fill, because its users can create any number of accounts. */
const DOMAIN_SHARE = 1 / 4;
/** A share is not smaller than this, unless the whole queue is. */
const MIN_SHARE = 100;
/** Sending a reply takes at most this long. */
const REPLY_MS = 30_000;

/** JSON body of a queued item. */
interface StoredStanza {
  /** Lets the receiver recognize a repeated stanza. */
  readonly delivery: string;
  readonly stanza: string;
}

/**
 * Messages and presence are queued first and posted in the order of their sender, until the receiver accepts them or
 * they expire. An iq is posted at once and only once, because its sender waits for the answer.
 */
export function createCallbacks(services: CallbackServices): Callbacks {
  return new StanzaCallbacks(services);
}

class StanzaCallbacks implements Callbacks {
  readonly #services: CallbackServices;
  readonly #receiver: CallbackReceiver;
  readonly #writes = createKeyedQueue();
  /** Result of the last attempt of each item, needed if the item then expires. */
  readonly #lastResults = new WeakMap<QueuedItem, CallbackResult>();
  #stopping = new AbortController();
  readonly #limitIqs = createSharedLimit(MAX_IQS, MAX_IQS_PER_KEY);
  readonly #limitWrites = createSharedLimit(MAX_WRITES, MAX_WRITES_PER_KEY);
  /** Stanzas that this process has queued and not removed, by remote domain. */
  readonly #queuedByDomain = new Map<string, number>();
  #runner: QueueRunner | undefined;

  constructor(services: CallbackServices) {
    this.#services = services;
    this.#receiver = new CallbackReceiver(services);
  }

  readonly onStanza = async (stanza: Element): Promise<boolean> => {
    const rules = this.#services.rules();
    if (rules === null || !rules.stanzas.includes(stanza.name as StanzaKind)) return false;
    const copy = detach(stanza);
    if (stanza.name === 'iq') await this.#answerIq(rules, copy);
    else await this.#enqueue(rules, copy);
    return true;
  };

  start(): void {
    this.#stopping = new AbortController();
    this.#runner = startQueueRunner(this.#services, {
      queue: 'callback',
      concurrency: CONCURRENCY,
      attemptTimeout: () => (this.#services.rules()?.timeout ?? 0) + REPLY_MS,
      attempt: (item, signal) => this.#attempt(item, signal),
      giveUp: (item) => this.#giveUp(item),
    });
  }

  async stop(graceMs?: number): Promise<void> {
    await this.#runner?.stop(graceMs);
    this.#runner = undefined;
    this.#stopping.abort();
  }

  async #enqueue({ keepTrying, maxWaiting }: CallbackRules, stanza: Element): Promise<void> {
    const domain = remoteDomain(stanza);
    if ((this.#queuedByDomain.get(domain ?? '') ?? 0) >= shareOf(maxWaiting, DOMAIN_SHARE)) throw queueFull();
    const { ledger, clock } = this.#services;
    const queueKey = parseBareJid(stanza.attrs.from ?? '') ?? '';
    const body = JSON.stringify({ delivery: randomId(), stanza: stanza.toString() } satisfies StoredStanza);
    const now = clock();
    const item = {
      queue: 'callback',
      queueKey,
      owner: queueKey,
      body,
      now,
      giveUpAt: now + keepTrying,
    } as const;
    const limits = { limit: maxWaiting, keyLimit: shareOf(maxWaiting, SENDER_SHARE) };
    const result = await this.#limitWrites(shareKeys(stanza), () =>
      this.#writes.run(queueKey, () => ledger.enqueue({ ...item, ...limits })),
    );
    if (result.outcome === 'full') throw queueFull();
    if (domain !== undefined) this.#countQueued(domain, 1);
    this.#runner?.wake();
  }

  async #answerIq(rules: CallbackRules, iq: Element): Promise<void> {
    await this.#limitIqs(shareKeys(iq), () => this.#postIq(rules, iq));
  }

  async #postIq(rules: CallbackRules, iq: Element): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(rules.timeout), this.#stopping.signal]);
    const { mayRetry, reply } = await this.#receiver.post(rules, iq, randomId(), signal);
    this.#services.metrics.callbackAttempted(mayRetry ? 'given_up' : 'taken');
    if (reply) await this.#senderFor(iq).sendStanza(reply);
  }

  #countRemoved(stanza: Element): void {
    const domain = remoteDomain(stanza);
    if (domain !== undefined) this.#countQueued(domain, -1);
  }

  /** Stanzas that were queued before this process began to lead are not counted. */
  #countQueued(domain: string, change: 1 | -1): void {
    const count = (this.#queuedByDomain.get(domain) ?? 0) + change;
    if (count > 0) this.#queuedByDomain.set(domain, count);
    else this.#queuedByDomain.delete(domain);
  }

  async #attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult> {
    const { rules: getRules, isConnected, metrics } = this.#services;
    const rules = getRules();
    if (rules === null) return { outcome: 'paused' };
    const stored = JSON.parse(item.body) as StoredStanza;
    const stanza = parseStanza(stored.stanza);
    if (!isConnected(stanza.attrs.to ?? '')) return { outcome: 'paused' };
    const deadline = AbortSignal.any([AbortSignal.timeout(rules.timeout), signal]);
    const result = await this.#receiver.post(rules, stanza, stored.delivery, deadline);
    if (!result.mayRetry) {
      const sent = await this.#sendReply(stanza, result.reply);
      if (sent.outcome === 'done') {
        metrics.callbackAttempted('taken');
        this.#countRemoved(stanza);
      }
      return sent;
    }
    this.#lastResults.set(item, result);
    metrics.callbackAttempted('failed');
    return { outcome: 'failed', retryAt: result.retryAt };
  }

  async #giveUp(item: QueuedItem): Promise<void> {
    const { metrics, log } = this.#services;
    metrics.callbackAttempted('given_up');
    log.warn(
      { from: item.queueKey, tries: item.attempts + 1 },
      'stanza dropped: the callback receiver did not accept it within messages.callback.keep_trying. Check messages.callback_url',
    );
    const stanza = parseStanza((JSON.parse(item.body) as StoredStanza).stanza);
    this.#countRemoved(stanza);
    await this.#sendReply(stanza, (this.#lastResults.get(item) ?? unreachableResult(stanza)).reply);
  }

  /** If the stream is down, the stanza is posted again later with the same delivery id, so that no reply is lost. */
  async #sendReply(stanza: Element, reply: Element | undefined): Promise<AttemptResult> {
    try {
      if (reply) await this.#senderFor(stanza).sendStanza(reply);
      return { outcome: 'done' };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === 'unavailable' || error.code === 'busy') return { outcome: 'paused' };
      if (error.code === 'no_answer') return { outcome: 'failed' };
      const { code, condition, message: text } = error;
      this.#services.log.info({ code, condition, text }, 'the XMPP server refused the reply to a stanza');
      return { outcome: 'done' };
    }
  }

  #senderFor(stanza: Element) {
    return this.#services.senders.componentSender(stanza.attrs.to ?? '');
  }
}

/** Returns the domain of the sender; undefined if it is a user of the server to which the component belongs. */
function remoteDomain({ attrs: { from = '', to = '' } }: Element): string | undefined {
  const domain = parseJid(from)?.domain ?? '';
  const own = parseJid(to)?.domain ?? '';
  return domain === own || own.endsWith(`.${domain}`) ? undefined : domain;
}

function shareKeys(stanza: Element): string[] {
  const domain = remoteDomain(stanza);
  const sender = `sender ${parseBareJid(stanza.attrs.from ?? '') ?? ''}`;
  return domain === undefined ? [sender] : [sender, `domain ${domain}`];
}

function shareOf(limit: number, share: number): number {
  return Math.max(Math.ceil(limit * share), Math.min(limit, MIN_SHARE));
}

function queueFull(): Refusal {
  return new Refusal('queue_full', { text: 'Too many stanzas are queued here. Try again later.' });
}

/** Returns a copy that has the same meaning outside its stream. */
function detach(stanza: Element): Element {
  try {
    return toCanonical(stanza);
  } catch (error) {
    if (!(error instanceof StanzaTooComplexError)) throw error;
    throw new Refusal('bad_request', { text: error.message, cause: error });
  }
}
