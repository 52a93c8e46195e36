import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import type { QueuedItem } from '../../ledger/contract/ledger.ts';
import { parseStanza } from '../../stanza/parse-stanza.ts';
import type { RoomOptions } from '../delivery/message-sender.ts';
import type { MessageServices } from '../message-services.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import { type AttemptResult, type QueueHandler, type QueueRunner, startQueueRunner } from './queue-runner.ts';

/** A message that is to wait for the XMPP server. */
export interface OutboxMessage {
  /** The sender's bare JID. */
  readonly from: string;
  readonly to: string;
  readonly message: Element;
  readonly room?: RoomOptions | undefined;
}

/** Where messages of tokens with `queue` wait while the XMPP server is gone. One for the process. */
export interface Outbox {
  /** Does something wait for this recipient that must not be overtaken? */
  hasPending(from: string, to: string): Promise<boolean>;
  /** Puts a message behind all that waits for its recipient; safe once it resolves. Refuses with `queue_full`. */
  add(order: OutboxMessage): Promise<void>;
  /** Starts to send what waits; while this process leads. */
  start(): void;
  /** The XMPP server is back. */
  resume(): void;
  /** What is under way may end for so many milliseconds; what waits goes on waiting. */
  stop(graceMs?: number): Promise<void>;
}

/** What the ledger keeps of a message. */
interface Kept {
  readonly from: string;
  readonly to: string;
  readonly stanza: string;
  readonly room?: RoomOptions | undefined;
}

const AT_ONCE = 64;
/** Joining a room and sending each wait for an answer. */
const ANSWERS = 3;

export function createOutbox(deps: MessageServices): Outbox {
  /** What is just being written down: the ledger does not know of it yet. */
  const arriving = createKeyedQueue();
  const work = outboxWork(deps);
  let runner: QueueRunner | undefined;

  async function write({ from, to, message, room }: OutboxMessage): Promise<void> {
    const { maxWaiting, keepTrying } = deps.messageRules();
    const now = deps.clock();
    const kept: Kept = { from, to, stanza: message.toString(), ...(room && { room }) };
    const added = await deps.ledger.enqueue({
      queue: 'outbox',
      queueKey: laneOf(from, to),
      owner: from,
      body: JSON.stringify(kept),
      now,
      giveUpAt: now + keepTrying,
      limit: maxWaiting,
    });
    if (added.outcome === 'full') throw new Refusal('queue_full');
    runner?.wake();
  }

  return {
    async hasPending(from, to) {
      const queueKey = laneOf(from, to);
      if (arriving.isBusy(queueKey)) return true;
      return (await deps.ledger.hasQueued({ queue: 'outbox', queueKey })) || arriving.isBusy(queueKey);
    },
    add: (order) => arriving.run(laneOf(order.from, order.to), () => write(order)),
    start() {
      runner = startQueueRunner(deps, work);
    },
    resume: () => runner?.resume(),
    async stop(graceMs) {
      await runner?.stop(graceMs);
      runner = undefined;
    },
  };
}

/** Messages of one sender to one recipient go in order; no JID has a line feed. */
function laneOf(from: string, to: string): string {
  return `${from}\n${to}`;
}

/**
 * Sends what waits. A stream that broke in the middle leaves it open whether the server has got the message: it goes
 * again with the same id, rather twice than never.
 */
function outboxWork(deps: MessageServices): QueueHandler {
  const attemptTimeout = () => ANSWERS * deps.messageRules().answerTimeout;

  async function attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult> {
    const kept = JSON.parse(item.body) as Kept;
    const message = parseStanza(kept.stanza);
    try {
      const speaker = deps.senders.componentSender(kept.from);
      // Nobody waits to hear of a bounce, and the next in line should not either.
      await orAborted(speaker.deliver(message, { bounceWait: 0, room: kept.room }), signal);
      note(deps, kept, message, 'sent');
      return { outcome: 'done' };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === 'unavailable') return { outcome: 'not_now' };
      if (error.code !== 'bounced' && error.code !== 'server_refused') return { outcome: 'failed' };
      note(deps, kept, message, error);
      return { outcome: 'done' };
    }
  }

  async function giveUp(item: QueuedItem): Promise<void> {
    const kept = JSON.parse(item.body) as Kept;
    note(deps, kept, parseStanza(kept.stanza), 'given_up');
  }

  return { queue: 'outbox', concurrency: AT_ONCE, attemptTimeout, attempt, giveUp };
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Refusal('no_answer'));
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
}

/** Nobody waits for the answer any more: the log and the counters are all there is. */
function note(
  deps: MessageServices,
  { from, to }: Kept,
  message: Element,
  came: 'sent' | 'given_up' | Refusal,
): void {
  const { id, type = 'normal' } = message.attrs;
  const facts = { from, to, id, type };
  if (came instanceof Refusal) {
    const { code, condition } = came;
    deps.log.warn({ ...facts, code, condition }, 'a message that waited was not sent');
  } else if (came === 'given_up') deps.log.warn(facts, 'a message was given up: it waited too long');
  else deps.log.info(facts, 'message sent after waiting');
  deps.metrics.messagePosted(type, came instanceof Refusal ? came.code : came);
}
