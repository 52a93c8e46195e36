import type { AddressMatcher } from '../http/common/client-info.ts';
import type { MessageSenders } from '../messages/delivery/message-sender.ts';
import type { UploadServices } from '../uploads/services.ts';

export type SignInWay = 'password' | 'link';

/** Settings that a reload may change. */
export interface WebSettings {
  /** `web.path` with a slash at the end. */
  readonly path: string;
  readonly title: string;
  readonly contacts: readonly string[];
  /** Bare JIDs. */
  readonly admins: readonly string[];
  readonly moderators: readonly string[];
  /** Hex SHA-256 of `web.token`; null if there is none. */
  readonly adminTokenHash: string | null;
  readonly signIn: readonly SignInWay[];
  readonly guestLinks: boolean;
  /** `public_url` without a trailing slash. If it is not set, links have the host of the request. */
  readonly publicUrl: string | null;
  readonly downloadUrl: string | null;
  /** Returns the component that sends sign-in links to this account (bare JID): the one of its domain, or the first. */
  readonly linkSenderFor: (account: string) => string | null;
  readonly trustedProxies: AddressMatcher;
  /** `uploads.idle_timeout`. */
  readonly idleTimeoutMs: number;
  /** Returns true if this account (bare JID) may sign in. */
  readonly maySignIn: (account: string) => boolean;
}

/** The services of the API. */
export type WebServices = UploadServices & {
  readonly settings: () => WebSettings;
  /** Check passwords and send sign-in links. */
  readonly senders: MessageSenders;
};
