import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { parseJid } from '../../base/jid.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { createStanzaChannel } from '../../messages/delivery/stanza-channel.ts';
import { createStreamSender } from '../../messages/delivery/stream-sender.ts';
import { errorReply } from '../../stanza/error-reply.ts';
import { DISCO_INFO, PING } from '../../stanza/namespaces.ts';
import type { BoundStream } from './login.ts';

/** Milliseconds. */
export interface AccountSessionTimeouts {
  readonly answerTimeout: () => number;
  readonly roomIdle: () => number;
}

/** An account that is logged in. It sends no presence, so that nobody's messages are drawn to it. */
export interface AccountSession {
  readonly sender: MessageSender;
  readonly isOpen: boolean;
  /** Rooms that it is in. */
  readonly joinedRooms: number;
  /** Resolves when the stream is gone. */
  readonly ended: Promise<unknown>;
  /** Is the server still there? Only asked where it has been silent for long. */
  isAlive(): Promise<boolean>;
  /** Leaves its rooms, says goodbye, and resolves when the stream is gone. */
  close(): Promise<void>;
}

/** Networks forget a connection that was silent for longer, and tell nobody. */
const LONG_SILENCE = 60_000;
const SIGN_OF_LIFE = 5_000;

export function startAccountSession(
  times: AccountSessionTimeouts,
  { stream, jid }: BoundStream,
): AccountSession {
  const domain = parseJid(jid)?.domain ?? jid;
  const channel = createStanzaChannel(
    {
      write: (text) => stream.write(text),
      formatPing: (id) => pingElement(domain, id).toString(),
      onPingTimeout: () => stream.destroy(new Error('the server has fallen silent')),
    },
    times.answerTimeout,
  );
  const speaking = createStreamSender({ channel, ...times }, jid, { from: false });
  const reply = (element: Element) => void channel.send(element.toString()).catch(() => undefined);

  stream.listen((stanza) => {
    const { type, id = '' } = stanza.attrs;
    const isAnswer = stanza.name === 'iq' && (type === 'result' || type === 'error');
    if (isAnswer && channel.handlePong(id)) return;
    if (speaking.handleStanza(stanza) || isAnswer) return;
    if (stanza.name === 'iq') reply(answerTo(stanza));
    else if (isMeantForPeople(stanza)) reply(errorReply(stanza, notRead()));
  });
  void stream.ended.then(() => {
    speaking.handleDisconnect();
    channel.handleDisconnect();
  });

  return {
    sender: speaking.sender,
    ended: stream.ended,
    get isOpen() {
      return stream.isOpen;
    },
    get joinedRooms() {
      return speaking.roomCount;
    },
    async isAlive() {
      if (!stream.isOpen) return false;
      if (performance.now() - stream.lastReceivedAt < LONG_SILENCE) return true;
      try {
        await speaking.sender.sendIq(pingElement(domain, ''), SIGN_OF_LIFE);
        return true;
      } catch (fault) {
        stream.destroy(fault);
        return false;
      }
    },
    async close() {
      speaking.leaveRooms();
      await stream.close();
    },
  };
}

function pingElement(to: string, id: string): Element {
  return xml('iq', { type: 'get', to, id }, xml('ping', PING));
}

/** What any client can be asked; nothing of it says more than that somebody is here. */
function answerTo(iq: Element): Element {
  const { from, id } = iq.attrs;
  const [question] = iq.getChildElements();
  const result = (...children: Element[]) => xml('iq', { type: 'result', to: from, id }, ...children);
  if (question?.is('ping', PING)) return result();
  if (question?.is('query', DISCO_INFO) && question.attrs.node === undefined) return result(discoInfo());
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

/** An answer to this very session instead of to its account: its writer has to know that nobody saw it. */
function isMeantForPeople(stanza: Element): boolean {
  const { type = 'normal', from } = stanza.attrs;
  if (stanza.name !== 'message' || from === undefined) return false;
  return (type === 'chat' || type === 'normal') && stanza.getChild('body') !== undefined;
}

function notRead(): Refusal {
  const text = 'This was sent by a program that reads no answers. Write to the address without the resource.';
  return new Refusal('not_understood', { text });
}
