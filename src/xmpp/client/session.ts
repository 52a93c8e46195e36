import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { parseJid } from '../../base/jid.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { createStanzaChannel } from '../../messages/delivery/stanza-channel.ts';
import { createStanzaSizeLimit } from '../../messages/delivery/stanza-size-limit.ts';
import { createStreamSender, type SenderContext } from '../../messages/delivery/stream-sender.ts';
import { errorReply, isPersonalMessage } from '../../stanza/error-reply.ts';
import { DISCO_INFO, PING } from '../../stanza/namespaces.ts';
import type { BoundStream } from './login.ts';
import { ackElement, ackRequest, isAck, isAckRequest, readAck } from './stream-management.ts';

/**
 * The session of an account that is logged in. Acks (XEP-0198), or pings if the server has no acks, show which stanzas the server
 * has processed. The session sends no presence, so that the server routes no messages of the account to it.
 */
export interface AccountSession {
  readonly sender: MessageSender;
  readonly isOpen: boolean;
  /** Number of joined rooms. */
  readonly joinedRooms: number;
  /** Resolves when the stream has ended. */
  readonly ended: Promise<unknown>;
  /** Returns false if the stream has ended or the server is dead. Pings a server that was silent for a minute. */
  isAlive(): Promise<boolean>;
  /** Leaves the rooms and closes the stream. Resolves when the stream has ended. */
  close(): Promise<void>;
}

/** After a longer silence a firewall may have dropped the connection without notice. */
const PING_AFTER_SILENCE_MS = 60_000;
const PING_TIMEOUT_MS = 5_000;

/** Handles the stanzas of a bound stream until it ends. */
export function startAccountSession(
  context: SenderContext,
  { stream, jid, maxStanzaBytes, hasAcks }: BoundStream,
): AccountSession {
  const domain = parseJid(jid)?.domain ?? jid;
  const channel = createStanzaChannel(
    {
      write: (text) => stream.write(text),
      formatRequest: (id) => (hasAcks ? ackRequest() : pingElement(domain, id)).toString(),
      onRequestTimeout: () => stream.destroy(new Error('the server does not confirm stanzas')),
    },
    context.answerTimeout,
    createStanzaSizeLimit(maxStanzaBytes),
  );
  const streamSender = createStreamSender({ channel, ...context }, jid, { from: false });
  const reply = (element: Element) => void channel.send(element.toString()).catch(() => undefined);

  /** Counted for a server that requests acks, also if it does not offer them. */
  let handledStanzas = 0;
  const writeAck = () => stream.isOpen && stream.write(ackElement(handledStanzas).toString());

  function handleAck(ack: Element): void {
    if (hasAcks && !channel.handleAck(readAck(ack))) {
      stream.destroy(new Error('the server confirmed stanzas that were not sent'));
    }
  }

  function handleStanza(stanza: Element): void {
    const { type, id = '' } = stanza.attrs;
    const isResponse = stanza.name === 'iq' && (type === 'result' || type === 'error');
    if (isResponse && channel.handlePong(id)) return;
    if (streamSender.handleStanza(stanza) || isResponse) return;
    if (stanza.name === 'iq') reply(answerIqRequest(stanza));
    else if (stanza.attrs.from !== undefined && isPersonalMessage(stanza)) reply(messageNotReadReply(stanza));
  }

  stream.listen({
    onElement(element) {
      if (isAckRequest(element)) return writeAck();
      if (isAck(element)) return handleAck(element);
      if (isStanza(element)) handledStanzas += 1;
      handleStanza(element);
    },
    onSkipped: () => {
      handledStanzas += 1;
    },
  });
  void stream.ended.then((reason) => {
    streamSender.handleDisconnect();
    channel.handleDisconnect(reason);
  });

  return {
    sender: streamSender.sender,
    ended: stream.ended,
    get isOpen() {
      return stream.isOpen;
    },
    get joinedRooms() {
      return streamSender.roomCount;
    },
    async isAlive() {
      if (!stream.isOpen) return false;
      if (performance.now() - stream.lastReceivedAt < PING_AFTER_SILENCE_MS) return true;
      try {
        await streamSender.sender.sendIq(pingElement(domain, ''), PING_TIMEOUT_MS);
        return true;
      } catch (error) {
        stream.destroy(error);
        return false;
      }
    },
    async close() {
      streamSender.leaveRooms();
      if (hasAcks) writeAck();
      await stream.close();
    },
  };
}

const isStanza = ({ name }: Element) => name === 'message' || name === 'presence' || name === 'iq';

function pingElement(to: string, id: string): Element {
  return xml('iq', { type: 'get', to, id }, xml('ping', PING));
}

/** Answers pings and disco#info like any client. The answers reveal only that the session exists. */
function answerIqRequest(iq: Element): Element {
  const { from, id } = iq.attrs;
  const [payload] = iq.getChildElements();
  const result = (...children: Element[]) => xml('iq', { type: 'result', to: from, id }, ...children);
  if (payload?.is('ping', PING)) return result();
  if (payload?.is('query', DISCO_INFO) && payload.attrs.node === undefined) return result(discoInfo());
  const reply = errorReply(iq, new Refusal('not_understood'));
  reply.attrs.from = undefined;
  return reply;
}

function discoInfo(): Element {
  const features = [DISCO_INFO, PING].map((feature) => xml('feature', { var: feature }));
  return xml(
    'query',
    DISCO_INFO,
    xml('identity', { category: 'client', type: 'bot', name: 'Porter' }),
    ...features,
  );
}

/** For replies to the full JID of this session. The account itself can still be reached at its bare JID. */
function messageNotReadReply(message: Element): Element {
  const text = 'This program does not read replies. Write to the address without the resource.';
  return errorReply(message, new Refusal('not_understood', { text }));
}
