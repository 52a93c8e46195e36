import type { Element } from '@xmpp/xml';

/** How a message goes to a room (XEP-0045): who writes joins it first, and stays for a while. */
export interface RoomOptions {
  /** The name in the room; the local part of the sender's JID where none is given. */
  readonly nick?: string | undefined;
  readonly password?: string | undefined;
}

export interface DeliveryOptions {
  /** Milliseconds to listen for a bounce after the server has taken the message; 0 = not at all. */
  readonly bounceWait: number;
  /** Only for `type='groupchat'`. */
  readonly room?: RoomOptions | undefined;
}

/**
 * Speaks XMPP under one JID: the session of an account, or one of the addresses at our component. What it resolves
 * is true, and nothing of it hangs: every wait has an end.
 *
 * Refusals of all methods: `unavailable` (the stream is down and nothing was written), `busy` (the server takes
 * stanzas more slowly than they come, and this one was not written), `no_answer` (written, and the server was silent or
 * went away: it may or may not have been taken), `server_refused` (the server, not the recipient, would not have it).
 */
export interface MessageSender {
  /** Where its stanzas come from: the full JID of a session, the JID at the component. */
  readonly jid: string;
  /**
   * Sends one message (its `from` is set here). Resolves when the server has taken it and no bounce came in time; to
   * a room, when the room has sent it back. Also refuses with `bounced`.
   * Messages of one speaker reach the server in the order of the calls; those to a room that has to be joined first, in
   * their order, behind what was written meanwhile to others.
   */
  deliver(message: Element, options: DeliveryOptions): Promise<void>;
  /**
   * Sends an iq of type get or set and resolves with its answer, of type result or error. `takes` sees every message
   * that comes to this speaker before the answer does; one that it says `true` to belongs to the answer (the pages
   * of an archive, XEP-0313) and goes nowhere else.
   */
  sendIq(iq: Element, timeoutMs: number, takes?: (message: Element) => boolean): Promise<Element>;
  /** Sends any stanza and resolves when the server has taken it. */
  sendStanza(stanza: Element): Promise<void>;
}

export interface AccountLogin {
  /** Bare, or full where the resource matters. */
  readonly jid: string;
  readonly password: string;
  /** Who tries, as `Peer.address` has it: guessing is slowed for each address and each account. */
  readonly address: string;
}

/** Where speakers come from; the XMPP door gives it. */
export interface MessageSenders {
  /**
   * The session of an account, opened by logging in to its server, or open already and the password the same.
   * Refusals: `credentials_wrong`, `too_many_attempts` (with `retryAt`), `unavailable`, `no_answer`, `server_refused`.
   */
  openAccountSender(login: AccountLogin): Promise<MessageSender>;
  /** `jid` lies at a component of ours (`bad_request` where it does not); no stream is waited for. */
  componentSender(jid: string): MessageSender;
}
