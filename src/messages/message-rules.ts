/** At most `messages` messages in `period` milliseconds. */
export interface MessageRate {
  readonly period: number;
  readonly messages: number;
}

/** A bearer token for a client without an XMPP account. */
export interface TokenRule {
  /** The token, or `sha256:` and the hex SHA-256 of the token. */
  readonly token: string;
  /** The JID at a configured component that sends the messages. It owns the files that are sent with them. */
  readonly from: string;
  /** RE2 patterns of the bare JIDs that the token may write to. */
  readonly to: readonly string[];
  readonly messages_per: MessageRate | null;
  /** True if messages are queued while the XMPP server is unreachable. */
  readonly queue: boolean;
}

/** A configured component. A client that presents its secret may send from every address at it (`/rest`). */
export interface ComponentSecret {
  readonly jid: string;
  readonly secret: string;
}

/** `messages` of the config. A reload replaces the whole object. Times in milliseconds, sizes in bytes. */
export interface MessageRules {
  readonly tokens: readonly TokenRule[];
  readonly components: readonly ComponentSecret[];
  readonly maxSize: number;
  readonly bounceWait: number;
  readonly answerTimeout: number;
  /** Limit of queued messages, over all tokens with `queue`. */
  readonly maxWaiting: number;
  /** How long a queued message is retried before it is dropped. */
  readonly keepTrying: number;
  /** Returns the base URL of an owner's downloads, without a trailing slash. Null if the host is taken from each request. */
  readonly downloadUrlFor: (owner: string) => string | null;
  /** Like `downloadUrlFor`, but of Porter itself: for thumbnails, which a web server that serves the files does not have. */
  readonly uploadUrlFor: (owner: string) => string | null;
}
