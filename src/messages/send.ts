import { type ErrorCode, Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import { type Attachment, discardAttachments, storeAttachments } from './attachments.ts';
import type { MessageDeps } from './deps.ts';
import type { Outbox } from './outbox.ts';
import { readRecipients } from './recipients.ts';
import { admitRecipient, chargeMessages, type Sender } from './senders.ts';
import type { RoomEntry } from './speaker.ts';
import { type Letter, messageOf } from './stanzas.ts';

export interface SendDeps extends MessageDeps {
  readonly outbox: Outbox;
}

/** One letter to one or many, with files. */
export interface Dispatch {
  /** As the sender wrote them (`readRecipients`). */
  readonly to: readonly string[];
  readonly letter: Omit<Letter, 'link'>;
  /** For `groupchat`. */
  readonly room?: RoomEntry | undefined;
  readonly files: readonly Attachment[];
  /** Milliseconds to wait for a bounce, if other than `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
  /** Where links to files point if the config does not say it, without a slash at its end; asked only then. */
  readonly linkBase: () => string;
}

/** What became of one message. */
export interface Posted {
  readonly to: string;
  /** The stanza's. */
  readonly id: string;
  readonly state: 'sent' | 'queued' | 'failed';
  /** Of the file that it brings. */
  readonly link?: string | undefined;
  /** Why it failed. */
  readonly refusal?: Refusal | undefined;
}

/**
 * Sends the text first, then a message for each file, to every recipient. Rejects (`Refusal`) where nothing was
 * even tried: a recipient that is not allowed, a rate, a file that may not be stored. What became of each message
 * else stands in the result. Files of which nobody heard are removed again.
 */
export async function send(deps: SendDeps, sender: Sender, dispatch: Dispatch): Promise<Posted[]> {
  const { letter, files } = dispatch;
  const recipients = readRecipients(sender, dispatch.to, letter.type);
  for (const to of recipients) admitRecipient(sender, to);
  const hasText = letter.body !== undefined && letter.body !== '';
  if (!hasText && files.length === 0) throw new Refusal('body_missing');
  await chargeMessages(deps, sender, recipients.length * (files.length + (hasText ? 1 : 0)));
  const linkBase = files.length === 0 ? '' : (deps.messages().downloadUrl ?? dispatch.linkBase());
  const stored = await storeAttachments(deps, sender.jid, files, linkBase);
  const letters = lettersOf(
    letter,
    hasText,
    stored.map(({ file }) => file),
  );
  const posted = await Promise.all(recipients.map((to) => post(deps, sender, to, letters, dispatch)));
  const all = posted.flat();
  if (!all.some(mayHaveArrived))
    await discardAttachments(
      deps,
      stored.map(({ id }) => id),
    );
  return all;
}

/** Only what surely did not arrive may be sent again. */
export function mayHaveArrived({ state, refusal }: Posted): boolean {
  return state !== 'failed' || refusal === undefined || UNSURE.includes(refusal.code);
}

const UNSENT: readonly ErrorCode[] = ['unavailable', 'busy'];
const UNSURE: readonly ErrorCode[] = ['no_answer', 'internal'];

function lettersOf(letter: Dispatch['letter'], hasText: boolean, links: readonly Letter['link'][]): Letter[] {
  const { subject, html: _, body: __, ...shared } = letter;
  const notes = links.map((link, place) =>
    place === 0 && !hasText ? { subject, ...shared, link } : { ...shared, link },
  );
  return hasText ? [letter, ...notes] : notes;
}

/** All messages to one recipient, given to the stream at once so that they stay together and in order. */
async function post(
  deps: SendDeps,
  sender: Sender,
  to: string,
  letters: readonly Letter[],
  dispatch: Dispatch,
): Promise<Posted[]> {
  const queues = sender.token?.queue === true;
  const mustWait = queues && (await deps.outbox.waits(sender.jid, to));
  return Promise.all(
    letters.map(async (letter) => {
      const id = randomId();
      const message = () => messageOf(letter, to, id);
      const { room } = dispatch;
      const wait = () => deps.outbox.add({ from: sender.jid, to, message: message(), room });
      const bounceWait = dispatch.bounceWait ?? deps.messages().bounceWait;
      const deliver = () => sender.speaker.deliver(message(), { bounceWait, room });
      const outcome = await (mustWait ? enqueue(wait) : attempt(deliver, queues ? wait : undefined));
      const posted: Posted = { to, id, ...toldOf(deps, outcome), link: letter.link?.url };
      note(deps, sender, posted, letter);
      return posted;
    }),
  );
}

type Outcome = 'sent' | 'queued' | { readonly failure: unknown };

async function enqueue(wait: () => Promise<void>): Promise<Outcome> {
  return wait().then(
    () => 'queued',
    (failure: unknown) => ({ failure }),
  );
}

/** Where the stream is down, or its server far behind, and the sender's messages may wait, it waits. */
async function attempt(
  deliver: () => Promise<void>,
  wait: (() => Promise<void>) | undefined,
): Promise<Outcome> {
  try {
    await deliver();
    return 'sent';
  } catch (failure) {
    const isUnsent = failure instanceof Refusal && UNSENT.includes(failure.code);
    return isUnsent && wait ? enqueue(wait) : { failure };
  }
}

function toldOf(deps: SendDeps, outcome: Outcome): Pick<Posted, 'state' | 'refusal'> {
  if (typeof outcome === 'string') return { state: outcome };
  const { failure } = outcome;
  if (failure instanceof Refusal) return { state: 'failed', refusal: failure };
  deps.log.error({ err: failure }, 'internal error');
  return { state: 'failed', refusal: new Refusal('internal', { cause: failure }) };
}

/** Who wrote to whom and whether it came through; never what. */
function note(
  deps: SendDeps,
  sender: Sender,
  { to, id, state, refusal }: Posted,
  { type, link }: Letter,
): void {
  deps.meter.posted(type, refusal?.code ?? (state === 'queued' ? 'queued' : 'sent'));
  const facts = { from: sender.jid, to, id, type, file: link !== undefined };
  if (refusal)
    deps.log.info({ ...facts, code: refusal.code, condition: refusal.condition }, 'message not sent');
  else deps.log.info(facts, `message ${state}`);
}
