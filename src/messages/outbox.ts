import type { Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import type { Waiting } from '../ledger/contract.ts';
import type { MessageDeps } from './deps.ts';
import { createLines } from './lines.ts';
import { type Attempt, type QueueRunner, type QueueWork, runQueue } from './queue.ts';
import type { RoomEntry } from './speaker.ts';
import { parseStanza } from './xml.ts';

/** A message that is to wait for the XMPP server. */
export interface OutboxOrder {
  /** The sender's bare JID. */
  readonly from: string;
  readonly to: string;
  readonly message: Element;
  readonly room?: RoomEntry | undefined;
}

/** Where messages of tokens with `queue` wait while the XMPP server is gone. One for the process. */
export interface Outbox {
  /** Does something wait for this recipient that must not be overtaken? */
  waits(from: string, to: string): Promise<boolean>;
  /** Puts a message behind all that waits for its recipient; safe once it resolves. Refuses with `queue_full`. */
  add(order: OutboxOrder): Promise<void>;
  /** Starts to send what waits; while this process leads. */
  begin(): void;
  /** The XMPP server is back. */
  resume(): void;
  /** What is under way may end for so many milliseconds; what waits goes on waiting. */
  end(graceMs?: number): Promise<void>;
}

/** What the ledger keeps of a message. */
interface Kept {
  readonly from: string;
  readonly to: string;
  readonly stanza: string;
  readonly room?: RoomEntry | undefined;
}

const AT_ONCE = 64;
/** Joining a room and sending each wait for an answer. */
const ANSWERS = 3;

export function createOutbox(deps: MessageDeps): Outbox {
  /** What is just being written down: the ledger does not know of it yet. */
  const arriving = createLines();
  const work = outboxWork(deps);
  let runner: QueueRunner | undefined;

  async function write({ from, to, message, room }: OutboxOrder): Promise<void> {
    const { maxWaiting, keepTrying } = deps.messages();
    const now = deps.clock();
    const kept: Kept = { from, to, stanza: message.toString(), ...(room && { room }) };
    const added = await deps.ledger.enqueue({
      queue: 'outbox',
      lane: laneOf(from, to),
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
    async waits(from, to) {
      const lane = laneOf(from, to);
      if (arriving.busy(lane)) return true;
      return (await deps.ledger.laneWaits({ queue: 'outbox', lane })) || arriving.busy(lane);
    },
    add: (order) => arriving.run(laneOf(order.from, order.to), () => write(order)),
    begin() {
      runner = runQueue(deps, work);
    },
    resume: () => runner?.resume(),
    async end(graceMs) {
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
function outboxWork(deps: MessageDeps): QueueWork {
  const within = () => ANSWERS * deps.messages().answerTimeout;

  async function attempt(item: Waiting, signal: AbortSignal): Promise<Attempt> {
    const kept = JSON.parse(item.body) as Kept;
    const message = parseStanza(kept.stanza);
    try {
      const speaker = deps.speakers.component(kept.from);
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

  async function giveUp(item: Waiting): Promise<void> {
    const kept = JSON.parse(item.body) as Kept;
    note(deps, kept, parseStanza(kept.stanza), 'given_up');
  }

  return { queue: 'outbox', atOnce: AT_ONCE, within, attempt, giveUp };
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Refusal('no_answer'));
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
}

/** Nobody waits for the answer any more: the log and the counters are all there is. */
function note(
  deps: MessageDeps,
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
  deps.meter.posted(type, came instanceof Refusal ? came.code : came);
}
