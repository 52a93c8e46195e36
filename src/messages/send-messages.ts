import { type ErrorCode, Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import { buildMessage, type OutgoingMessage } from '../stanza/message.ts';
import { type Attachment, discardAttachments, storeAttachments } from './attachments.ts';
import { type ApiClient, chargeMessages, checkRecipientAllowed } from './authenticate.ts';
import type { RoomOptions } from './delivery/message-sender.ts';
import type { MessageServices } from './message-services.ts';
import { parseRecipients } from './recipients.ts';

/** One message to one or several recipients, with files. */
export interface SendRequest {
  /** Recipients as the client wrote them; see `parseRecipients`. */
  readonly to: readonly string[];
  readonly message: Omit<OutgoingMessage, 'file'>;
  /** Only for `groupchat`. */
  readonly room?: RoomOptions | undefined;
  readonly files: readonly Attachment[];
  /** Milliseconds to wait for a bounce. Overrides `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
  /** Returns the base URL of links, without a trailing slash. Called only if the config has no download URL. */
  readonly linkBase: () => string;
  /** True for a test message of `porter doctor`, which is not logged. */
  readonly isProbe?: boolean;
}

/** The result of one message stanza. */
export interface MessageResult {
  readonly to: string;
  /** Id of the stanza. */
  readonly id: string;
  readonly state: 'sent' | 'queued' | 'failed';
  /** Link to the file that the message carries. */
  readonly fileUrl?: string | undefined;
  /** Set if `state` is `failed`. */
  readonly refusal?: Refusal | undefined;
}

/**
 * Sends the text first, then one message per file, to every recipient. Failures of single messages are part of the
 * result. Throws a `Refusal` if nothing was sent: a recipient is not allowed, the rate is exceeded, or a file cannot be
 * stored. Removes the stored files if no message can have arrived.
 */
export async function sendMessages(
  services: MessageServices,
  client: ApiClient,
  request: SendRequest,
): Promise<MessageResult[]> {
  const { message, files } = request;
  const recipients = parseRecipients(client, request.to, message.type);
  for (const to of recipients) checkRecipientAllowed(client, to);
  const hasText = message.body !== undefined && message.body !== '';
  if (!hasText && files.length === 0) throw new Refusal('body_missing');
  await chargeMessages(services, client, recipients.length * (files.length + (hasText ? 1 : 0)));
  const linkBase =
    files.length === 0 ? '' : (services.messageRules().downloadUrlFor(client.jid) ?? request.linkBase());
  const stored = await storeAttachments(services, client.jid, files, linkBase);
  const messages = splitMessage(
    message,
    hasText,
    stored.map(({ file }) => file),
  );
  const perRecipient = await Promise.all(
    recipients.map((to) => sendToRecipient(services, client, to, messages, request)),
  );
  const results = perRecipient.flat();
  if (!results.some(mayHaveArrived)) {
    await discardAttachments(
      services,
      stored.map(({ id }) => id),
    );
  }
  return results;
}

/** Returns false only if the message certainly did not arrive. Such a message can be sent again. */
export function mayHaveArrived({ state, refusal }: MessageResult): boolean {
  return state !== 'failed' || refusal === undefined || UNCERTAIN.includes(refusal.code);
}

/** Refusals after which the stanza was certainly not written to the stream. */
const UNSENT: readonly ErrorCode[] = ['unavailable', 'busy'];
const UNCERTAIN: readonly ErrorCode[] = ['no_answer', 'internal'];

/** Returns one message for the text and one for each file. The first one has the subject. */
function splitMessage(
  message: SendRequest['message'],
  hasText: boolean,
  files: readonly OutgoingMessage['file'][],
): OutgoingMessage[] {
  const { subject, html: _, body: __, ...shared } = message;
  const fileMessages = files.map((file, index) =>
    index === 0 && !hasText ? { subject, ...shared, file } : { ...shared, file },
  );
  return hasText ? [message, ...fileMessages] : fileMessages;
}

/** Writes all messages of a recipient to the stream at once, so that they stay together and in order. */
async function sendToRecipient(
  services: MessageServices,
  { jid, sender, token }: ApiClient,
  to: string,
  messages: readonly OutgoingMessage[],
  request: SendRequest,
): Promise<MessageResult[]> {
  const { outbox, messageRules } = services;
  const canQueue = token?.queue === true;
  const mustQueue = canQueue && (await outbox.hasPending(jid, to));
  const { room, bounceWait = messageRules().bounceWait } = request;
  return Promise.all(
    messages.map(async (message) => {
      const id = randomId();
      const stanza = () => buildMessage(message, to, id);
      const addToOutbox = () => outbox.add({ from: jid, to, message: stanza(), room });
      const deliver = () => sender.deliver(stanza(), { bounceWait, room });
      const outcome = await (mustQueue
        ? enqueue(addToOutbox)
        : attemptDelivery(deliver, canQueue ? addToOutbox : undefined));
      const result: MessageResult = { to, id, ...toState(services, outcome), fileUrl: message.file?.url };
      recordResult(services, jid, result, { ...message, isProbe: request.isProbe });
      return result;
    }),
  );
}

type Outcome = 'sent' | 'queued' | { readonly failure: unknown };

async function enqueue(addToOutbox: () => Promise<void>): Promise<Outcome> {
  return addToOutbox().then(
    () => 'queued',
    (failure: unknown) => ({ failure }),
  );
}

/** Queues the message if it was not written: the stream is down, or the server is far behind. */
async function attemptDelivery(
  deliver: () => Promise<void>,
  addToOutbox: (() => Promise<void>) | undefined,
): Promise<Outcome> {
  try {
    await deliver();
    return 'sent';
  } catch (failure) {
    const isUnsent = failure instanceof Refusal && UNSENT.includes(failure.code);
    return isUnsent && addToOutbox ? enqueue(addToOutbox) : { failure };
  }
}

function toState(
  { log }: Pick<MessageServices, 'log'>,
  outcome: Outcome,
): Pick<MessageResult, 'state' | 'refusal'> {
  if (typeof outcome === 'string') return { state: outcome };
  const { failure } = outcome;
  if (failure instanceof Refusal) return { state: 'failed', refusal: failure };
  log.error({ err: failure }, 'Sending a message failed with an internal error');
  return { state: 'failed', refusal: new Refusal('internal', { cause: failure }) };
}

/** Logs sender, recipient and result of a message, never its content. */
function recordResult(
  { log, metrics }: Pick<MessageServices, 'log' | 'metrics'>,
  from: string,
  { to, id, state, refusal }: MessageResult,
  { type, file, isProbe }: Pick<OutgoingMessage, 'type' | 'file'> & { readonly isProbe: boolean | undefined },
): void {
  metrics.messagePosted(type, refusal?.code ?? (state === 'queued' ? 'queued' : 'sent'));
  if (isProbe) return;
  const fields = { from, to, id, type, file: file !== undefined };
  if (refusal) {
    const { code, condition, message: text } = refusal;
    log.info({ ...fields, code, condition, text }, 'message not sent');
  } else log.info(fields, `message ${state}`);
}
