import type { Element } from '@xmpp/xml';

/** How a sender joins a room (XEP-0045). It joins before its first message and stays for some time. */
export interface RoomOptions {
  /** Nick in the room. The default is the local part of the sender's JID. */
  readonly nick?: string | undefined;
  readonly password?: string | undefined;
}

export interface DeliveryOptions {
  /**
   * Milliseconds to wait, after the sender's server has accepted the message, until the recipient's server has processed or
   * bounced it; 0 = do not wait.
   */
  readonly bounceWait: number;
  /** Only for `type='groupchat'`. */
  readonly room?: RoomOptions | undefined;
}

/**
 * Sends stanzas from one JID: the session of an account, or an address at a component. Every promise settles within a
 * bounded time.
 *
 * Refusals of all methods: `unavailable` (the stream is down, and the stanza was not written), `busy` (the server
 * accepts stanzas more slowly than they come, and this one was not written), `no_answer` (the stanza was written, but
 * the server did not confirm it, so it may or may not have arrived), `server_refused` (the sender's server, not the
 * recipient, refused it).
 */
export interface MessageSender {
  /** The `from` of its stanzas: the full JID of a session, or the JID at the component. */
  readonly jid: string;
  /**
   * Sends a message; sets its `from`. Resolves when the server of the recipient has answered a ping that was sent after the
   * message. Also resolves if neither that answer nor a bounce came in time. A message to a room resolves when the room has
   * reflected it. Further refusal: `bounced`.
   * Messages reach the server in the order of the calls. Messages to a room that must be joined first keep their order
   * among themselves, but later messages to other recipients may overtake them.
   */
  deliver(message: Element, options: DeliveryOptions): Promise<void>;
  /**
   * Sends an iq of type get or set and resolves with its answer, of type result or error. `collect` is called with every
   * message that arrives before the answer. If it returns true, the message is part of the answer (results of an
   * archive, XEP-0313) and is not handled further.
   */
  sendIq(iq: Element, timeoutMs: number, collect?: (message: Element) => boolean): Promise<Element>;
  /** Sends any stanza. Resolves when the server has accepted it. */
  sendStanza(stanza: Element): Promise<void>;
}

export interface AccountLogin {
  /** Bare JID, or a full JID to request that resource. */
  readonly jid: string;
  readonly password: string;
  /** Address of the HTTP client. Wrong guesses are slowed per address and per account. */
  readonly address: string;
}

/** Provides senders. */
export interface MessageSenders {
  /**
   * Returns the session of an account. Logs in to its server, or reuses an open session with the same password.
   * Refusals: `credentials_wrong`, `too_many_attempts` (with `retryAt`), `unavailable`, `no_answer`, `server_refused`.
   */
  openAccountSender(login: AccountLogin): Promise<MessageSender>;
  /** Returns at once, also while the stream is down. Throws `Refusal` (`bad_request`) if no component has this JID. */
  componentSender(jid: string): MessageSender;
}
