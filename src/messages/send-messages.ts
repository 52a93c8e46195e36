import { type ErrorCode, Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import { buildMessage, type OutgoingMessage } from '../stanza/message.ts';
import { type Attachment, discardAttachments, storeAttachments } from './attachments.ts';
import { type ApiClient, chargeMessages, checkRecipientAllowed } from './authenticate.ts';
import type { RoomOptions } from './delivery/message-sender.ts';
import type { MessageServices } from './message-services.ts';
import type { Outbox } from './queue/outbox.ts';
import { parseRecipients } from './recipients.ts';

export interface SendServices extends MessageServices {
  readonly outbox: Outbox;
}

/** One letter to one or many, with files. */
export interface SendRequest {
  /** As the sender wrote them (`parseRecipients`). */
  readonly to: readonly string[];
  readonly message: Omit<OutgoingMessage, 'file'>;
  /** For `groupchat`. */
  readonly room?: RoomOptions | undefined;
  readonly files: readonly Attachment[];
  /** Milliseconds to wait for a bounce, if other than `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
  /** Where links to files point if the config does not say it, without a slash at its end; asked only then. */
  readonly linkBase: () => string;
}

/** What became of one message. */
export interface MessageResult {
  readonly to: string;
  /** The stanza's. */
  readonly id: string;
  readonly state: 'sent' | 'queued' | 'failed';
  /** Of the file that it brings. */
  readonly fileUrl?: string | undefined;
  /** Why it failed. */
  readonly refusal?: Refusal | undefined;
}

/**
 * Sends the text first, then a message for each file, to every recipient. Rejects (`Refusal`) where nothing was
 * even tried: a recipient that is not allowed, a rate, a file that may not be stored. What became of each message
 * else stands in the result. Files of which nobody heard are removed again.
 */
export async function sendMessages(
  deps: SendServices,
  sender: ApiClient,
  dispatch: SendRequest,
): Promise<MessageResult[]> {
  const { message, files } = dispatch;
  const recipients = parseRecipients(sender, dispatch.to, message.type);
  for (const to of recipients) checkRecipientAllowed(sender, to);
  const hasText = message.body !== undefined && message.body !== '';
  if (!hasText && files.length === 0) throw new Refusal('body_missing');
  await chargeMessages(deps, sender, recipients.length * (files.length + (hasText ? 1 : 0)));
  const linkBase = files.length === 0 ? '' : (deps.messageRules().downloadUrl ?? dispatch.linkBase());
  const stored = await storeAttachments(deps, sender.jid, files, linkBase);
  const letters = lettersOf(
    message,
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
export function mayHaveArrived({ state, refusal }: MessageResult): boolean {
  return state !== 'failed' || refusal === undefined || UNSURE.includes(refusal.code);
}

const UNSENT: readonly ErrorCode[] = ['unavailable', 'busy'];
const UNSURE: readonly ErrorCode[] = ['no_answer', 'internal'];

function lettersOf(
  letter: SendRequest['message'],
  hasText: boolean,
  links: readonly OutgoingMessage['file'][],
): OutgoingMessage[] {
  const { subject, html: _, body: __, ...shared } = letter;
  const notes = links.map((link, place) =>
    place === 0 && !hasText ? { subject, ...shared, link } : { ...shared, link },
  );
  return hasText ? [letter, ...notes] : notes;
}

/** All messages to one recipient, given to the stream at once so that they stay together and in order. */
async function post(
  deps: SendServices,
  sender: ApiClient,
  to: string,
  letters: readonly OutgoingMessage[],
  dispatch: SendRequest,
): Promise<MessageResult[]> {
  const queues = sender.token?.queue === true;
  const mustWait = queues && (await deps.outbox.hasPending(sender.jid, to));
  return Promise.all(
    letters.map(async (letter) => {
      const id = randomId();
      const message = () => buildMessage(letter, to, id);
      const { room } = dispatch;
      const wait = () => deps.outbox.add({ from: sender.jid, to, message: message(), room });
      const bounceWait = dispatch.bounceWait ?? deps.messageRules().bounceWait;
      const deliver = () => sender.sender.deliver(message(), { bounceWait, room });
      const outcome = await (mustWait ? enqueue(wait) : attempt(deliver, queues ? wait : undefined));
      const posted: MessageResult = { to, id, ...toldOf(deps, outcome), fileUrl: letter.file?.url };
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

function toldOf(deps: SendServices, outcome: Outcome): Pick<MessageResult, 'state' | 'refusal'> {
  if (typeof outcome === 'string') return { state: outcome };
  const { failure } = outcome;
  if (failure instanceof Refusal) return { state: 'failed', refusal: failure };
  deps.log.error({ err: failure }, 'internal error');
  return { state: 'failed', refusal: new Refusal('internal', { cause: failure }) };
}

/** Who wrote to whom and whether it came through; never what. */
function note(
  deps: SendServices,
  sender: ApiClient,
  { to, id, state, refusal }: MessageResult,
  { type, file: link }: OutgoingMessage,
): void {
  deps.metrics.messagePosted(type, refusal?.code ?? (state === 'queued' ? 'queued' : 'sent'));
  const facts = { from: sender.jid, to, id, type, file: link !== undefined };
  if (refusal)
    deps.log.info({ ...facts, code: refusal.code, condition: refusal.condition }, 'message not sent');
  else deps.log.info(facts, `message ${state}`);
}
