import type { Element } from '@xmpp/xml';
import { raceAbort } from '../../base/async.ts';
import { Refusal } from '../../base/errors.ts';
import type { Ledger, QueuedItem } from '../../ledger/contract/ledger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { parseStanza } from '../../stanza/parse.ts';
import type { MessageSenders, RoomOptions } from '../delivery/message-sender.ts';
import type { MessageRules } from '../message-rules.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import {
  type AttemptResult,
  type QueueHandler,
  type QueueRunner,
  type QueueServices,
  startQueueRunner,
} from './queue-runner.ts';

/** A message that is queued until the XMPP server is reachable. */
export interface OutboxMessage {
  /** The sender's bare JID. */
  readonly from: string;
  readonly to: string;
  readonly message: Element;
  readonly room?: RoomOptions | undefined;
}

/** Keeps messages of tokens with `queue` while the XMPP server is unreachable. One per process. */
export interface Outbox {
  /** Returns true if earlier messages to this recipient are queued. A new one must then be queued too. */
  hasPending(from: string, to: string): Promise<boolean>;
  /** Queues a message. It is durable when the promise resolves. Throws `Refusal` (`queue_full`). */
  add(message: OutboxMessage): Promise<void>;
  /** Starts to send queued messages. Called when this process begins to lead. */
  start(): void;
  /** Sends at once, because the XMPP server is reachable again. */
  resume(): void;
  /** Stops sending. Messages being sent have `graceMs` to finish; all others stay queued. */
  stop(graceMs?: number): Promise<void>;
}

export type OutboxServices = QueueServices & {
  readonly ledger: Pick<Ledger, 'enqueue' | 'hasQueued'>;
  readonly metrics: Pick<Metrics, 'messagePosted'>;
  readonly senders: Pick<MessageSenders, 'componentSender'>;
  readonly messageRules: () => MessageRules;
};

/** JSON body of a queued item. */
interface StoredMessage {
  readonly from: string;
  readonly to: string;
  readonly stanza: string;
  readonly room?: RoomOptions | undefined;
}

const CONCURRENCY = 64;
/** An attempt waits for up to so many answers: joining a room and sending need several. */
const ANSWERS_PER_ATTEMPT = 3;

export function createOutbox(services: OutboxServices): Outbox {
  const { ledger, clock, messageRules } = services;
  /** Messages that are being written and are not visible in the ledger yet. */
  const writes = createKeyedQueue();
  const handler = createOutboxHandler(services);
  let runner: QueueRunner | undefined;

  async function write({ from, to, message, room }: OutboxMessage): Promise<void> {
    const { maxWaiting, keepTrying } = messageRules();
    const now = clock();
    const stored: StoredMessage = { from, to, stanza: message.toString(), ...(room && { room }) };
    const result = await ledger.enqueue({
      queue: 'outbox',
      queueKey: toQueueKey(from, to),
      owner: from,
      body: JSON.stringify(stored),
      now,
      giveUpAt: now + keepTrying,
      limit: maxWaiting,
    });
    if (result.outcome === 'full') throw new Refusal('queue_full');
    runner?.wake();
  }

  return {
    async hasPending(from, to) {
      const queueKey = toQueueKey(from, to);
      if (writes.isBusy(queueKey)) return true;
      return (await ledger.hasQueued({ queue: 'outbox', queueKey })) || writes.isBusy(queueKey);
    },
    add: (message) => writes.run(toQueueKey(message.from, message.to), () => write(message)),
    start() {
      runner = startQueueRunner(services, handler);
    },
    resume: () => runner?.resume(),
    async stop(graceMs) {
      await runner?.stop(graceMs);
      runner = undefined;
    },
  };
}

/** Messages of one sender to one recipient stay in order. A JID contains no line feed. */
function toQueueKey(from: string, to: string): string {
  return `${from}\n${to}`;
}

/**
 * Sends queued messages. If the stream breaks during an attempt, it is unknown whether the server got the message. It is
 * then sent again with the same id: a duplicate is better than a loss.
 */
function createOutboxHandler(services: OutboxServices): QueueHandler {
  const { senders, messageRules } = services;
  const attemptTimeout = () => ANSWERS_PER_ATTEMPT * messageRules().answerTimeout;

  async function attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult> {
    const stored = JSON.parse(item.body) as StoredMessage;
    const message = parseStanza(stored.stanza);
    try {
      const sender = senders.componentSender(stored.from);
      // The client has its answer already, so a bounce would only delay the next message.
      await raceAbort(sender.deliver(message, { bounceWait: 0, room: stored.room }), signal);
      recordResult(services, stored, message, 'sent');
      return { outcome: 'done' };
    } catch (error) {
      if (error === signal.reason) return { outcome: 'failed' };
      if (!(error instanceof Refusal)) throw error;
      if (error.code === 'unavailable') return { outcome: 'paused' };
      if (!isFinal(error)) return { outcome: 'failed' };
      recordResult(services, stored, message, error);
      return { outcome: 'done' };
    }
  }

  async function giveUp(item: QueuedItem): Promise<void> {
    const stored = JSON.parse(item.body) as StoredMessage;
    recordResult(services, stored, parseStanza(stored.stanza), 'given_up');
  }

  return { queue: 'outbox', concurrency: CONCURRENCY, attemptTimeout, attempt, giveUp };
}

/** Returns true if the same message would be refused again. */
function isFinal({ code }: Refusal): boolean {
  return code === 'bounced' || code === 'server_refused' || code === 'message_too_large';
}

const DROPPED =
  'queued message dropped: it could not be sent within messages.keep_trying. Run `porter doctor` to check the connection';

/** The client has its answer already, so the result only goes to the log and the metrics. */
function recordResult(
  { log, metrics }: Pick<OutboxServices, 'log' | 'metrics'>,
  { from, to }: StoredMessage,
  message: Element,
  result: 'sent' | 'given_up' | Refusal,
): void {
  const { id, type = 'normal' } = message.attrs;
  const fields = { from, to, id, type };
  if (result instanceof Refusal) {
    const { code, condition } = result;
    log.warn({ ...fields, code, condition }, 'queued message not sent: the recipient or server refused it');
  } else if (result === 'given_up') log.warn(fields, DROPPED);
  else log.info(fields, 'queued message sent');
  metrics.messagePosted(type, result instanceof Refusal ? result.code : result);
}
