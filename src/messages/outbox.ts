import type { Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import type { MessageDeps } from './deps.ts';
import type { Sender } from './senders.ts';
import type { RoomEntry } from './speaker.ts';

/** A message that waits for the XMPP server. */
export interface Waiting {
  readonly sender: Pick<Sender, 'jid'>;
  readonly to: string;
  readonly message: Element;
  readonly room?: RoomEntry | undefined;
}

/** What is written into the ledger of it. */
export interface OutboxItem {
  readonly from: string;
  readonly to: string;
  readonly stanza: string;
  readonly room?: RoomEntry | undefined;
}

/** Where messages of tokens with `queue` wait while the XMPP server is gone. One for the process. */
export interface Outbox {
  /** Does something wait for this recipient that must not be overtaken? */
  waits(from: string, to: string): Promise<boolean>;
  /** Puts a message behind all that waits for its recipient; durable once it resolves. Refuses with `queue_full`. */
  add(waiting: Waiting): Promise<void>;
}

export function createOutbox(deps: MessageDeps, onAdded: () => void = () => undefined): Outbox {
  /** What is just being written down, by lane: the ledger does not know of it yet. */
  const lanes = new Map<string, Promise<void>>();

  async function write({ sender, to, message, room }: Waiting): Promise<void> {
    const { maxWaiting, keepTrying } = deps.messages();
    const now = deps.clock();
    const item: OutboxItem = { from: sender.jid, to, stanza: message.toString(), ...(room && { room }) };
    const added = await deps.ledger.enqueue({
      queue: 'outbox',
      lane: laneOf(sender.jid, to),
      owner: sender.jid,
      body: JSON.stringify(item),
      now,
      giveUpAt: now + keepTrying,
      limit: maxWaiting,
    });
    if (added.outcome === 'full') throw new Refusal('queue_full');
    onAdded();
  }

  return {
    async waits(from, to) {
      const lane = laneOf(from, to);
      if (lanes.has(lane)) return true;
      return (await deps.ledger.laneWaits({ queue: 'outbox', lane })) || lanes.has(lane);
    },
    add(waiting) {
      const lane = laneOf(waiting.sender.jid, waiting.to);
      const before = lanes.get(lane) ?? Promise.resolve();
      const written = before.catch(() => undefined).then(() => write(waiting));
      lanes.set(lane, written);
      const clear = () => {
        if (lanes.get(lane) === written) lanes.delete(lane);
      };
      written.then(clear, clear);
      return written;
    },
  };
}

/** Messages of one sender to one recipient go in order; no JID has a line feed. */
function laneOf(from: string, to: string): string {
  return `${from}\n${to}`;
}
