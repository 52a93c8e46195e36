import type { UploadServices } from '../uploads/services.ts';
import type { MessageSenders } from './delivery/message-sender.ts';

/** How many messages in a time. Periods in milliseconds. */
export interface MessageRate {
  readonly period: number;
  readonly messages: number;
}

/** A bearer token for a sender that has no XMPP account. */
export interface TokenRule {
  /** The token, or `sha256:` and the hex SHA-256 of it. */
  readonly token: string;
  /** The JID at a component of ours that its messages come from; it owns the files that come with them. */
  readonly from: string;
  /** RE2 patterns of the bare JIDs it may write to. */
  readonly to: readonly string[];
  readonly messages_per: MessageRate | null;
  /** May its messages wait while the XMPP server is gone? */
  readonly queue: boolean;
}

/** A component of ours: who knows its secret may speak as anybody at it (`/rest`). */
export interface ComponentSecret {
  readonly jid: string;
  readonly secret: string;
}

/** `messages` of the config, as the use cases need it; a reload replaces it whole. Times in milliseconds, sizes in bytes. */
export interface MessageRules {
  readonly tokens: readonly TokenRule[];
  readonly components: readonly ComponentSecret[];
  readonly maxSize: number;
  readonly bounceWait: number;
  readonly answerTimeout: number;
  /** Messages of tokens with `queue` that may wait at one time. */
  readonly maxWaiting: number;
  /** How long each of them is kept before it is given up. */
  readonly keepTrying: number;
  /** Where files are fetched, without a slash at its end; null = only requests know our host. */
  readonly downloadUrl: string | null;
}

/** What every use case of messages works with; built once by `app`. Files go the way of all uploads. */
export interface MessageServices extends UploadServices {
  readonly senders: MessageSenders;
  readonly messageRules: () => MessageRules;
}
