import type { AddressMatcher } from '../http/common/client-info.ts';
import type { MessageSenders } from '../messages/delivery/message-sender.ts';
import type { HookRegistry, HookServices } from '../messages/hooks/handle-hook.ts';
import type { SecretGuard } from '../messages/rest/rest-client.ts';
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
  /** Returns the base URLs of an owner's links. If one is null, its links have the host of the request. */
  readonly linkBasesFor: (owner: string) => {
    readonly putBase: string | null;
    readonly getBase: string | null;
  };
  /** All base URLs, without a trailing slash. */
  readonly baseUrls: readonly string[];
  /** Returns the component that sends sign-in links to this account (bare JID): the one of its domain, or the first. */
  readonly linkSenderFor: (account: string) => string | null;
  readonly trustedProxies: AddressMatcher;
  /** `uploads.idle_timeout`. */
  readonly idleTimeoutMs: number;
  /** Returns true if this account (bare JID) may sign in. */
  readonly maySignIn: (account: string) => boolean;
}

/** Facts of the running server and its config, for the pages of admins. */
export interface WebOverview {
  readonly version: string;
  readonly globalQuota: () => number | null;
  /** The component streams, fetched from the leading process. Empty if it does not answer. */
  streams(): Promise<
    readonly { readonly jid: string; readonly up: boolean; readonly reason: string | null }[]
  >;
  /** The options in effect without secrets, as in the file. */
  config(): {
    readonly file: string | null;
    readonly warnings: readonly string[];
    readonly options: Record<string, unknown>;
  };
  /** Runs the doctor against this server. May take several minutes. */
  runDoctor(): Promise<{
    readonly ok: boolean;
    readonly findings: readonly { readonly check: string; readonly state: string; readonly text: string }[];
  }>;
  /** Lines of the config file by key path. */
  configLines(): Readonly<Record<string, number>>;
}

/** The services of the API. */
export type WebServices = UploadServices & {
  readonly settings: () => WebSettings;
  /** The senders that check passwords and send sign-in links. */
  readonly senders: MessageSenders;
  /** Slows guesses of the admin token. */
  readonly secretGuard: SecretGuard;
  /** The parts of the server that only admins see. */
  readonly overview: WebOverview;
  /** Undefined if the config has no `messages`. */
  readonly hooks: (HookServices & { readonly hooks: () => HookRegistry }) | undefined;
};
