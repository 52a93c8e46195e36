/** Sign-in, tokens, guest links and the audit of the web page. JIDs are bare, secrets are given and stored as hex SHA-256. */
export interface WebStore {
  createSession(session: WebSession): Promise<void>;
  /** Returns undefined if the session is unknown or has expired. */
  findSession(params: { readonly secretHash: string; readonly now: number }): Promise<WebSession | undefined>;
  /** Records the use of a session and sets its expiry. */
  extendSession(params: Pick<WebSession, 'secretHash' | 'lastUsedAt' | 'expiresAt'>): Promise<void>;
  /** Lists the sessions of an account that have not expired, the latest used first. */
  listSessions(params: { readonly jid: string; readonly now: number }): Promise<WebSession[]>;
  /** Ends one session, or all sessions of an account. Returns the number of ended sessions. */
  endSessions(params: { readonly secretHash: string } | { readonly jid: string }): Promise<number>;

  /** Returns false if the account has `limit` tokens already. */
  createToken(params: { readonly token: WebToken; readonly limit: number }): Promise<boolean>;
  /** Returns undefined if the token is unknown, revoked or expired. */
  findToken(params: { readonly secretHash: string; readonly now: number }): Promise<WebToken | undefined>;
  recordTokenUse(params: { readonly id: string; readonly now: number }): Promise<void>;
  /** Lists the tokens of an account, the latest first. */
  listTokens(jid: string): Promise<WebToken[]>;
  /** Returns false if the account has no such token. */
  revokeToken(params: { readonly jid: string; readonly id: string }): Promise<boolean>;

  /** Replaces the sign-in link of the browser. */
  createSignInLink(link: SignInLink): Promise<void>;
  /**
   * Uses the sign-in link of a browser. It ends with the right code, or with the last of `MAX_CODE_ATTEMPTS` wrong ones. Returns
   * the account, or undefined for a wrong code, or if the link is unknown or expired.
   */
  useSignInLink(params: {
    readonly browserHash: string;
    readonly codeHash: string;
    readonly now: number;
  }): Promise<string | undefined>;

  /** Returns false if the account has `limit` links already. */
  createGuestLink(params: { readonly link: GuestLinkRecord; readonly limit: number }): Promise<boolean>;
  /** Returns undefined if the link is unknown, revoked or expired. */
  findGuestLink(params: {
    readonly secretHash: string;
    readonly now: number;
  }): Promise<GuestLinkRecord | undefined>;
  /**
   * Counts one file of `bytes` against the link. A negative number gives it back. Returns false, and counts nothing, if the link
   * is unknown, expired or has no room for it.
   */
  chargeGuestLink(params: {
    readonly secretHash: string;
    readonly bytes: number;
    readonly now: number;
  }): Promise<boolean>;
  /** Lists the links of an account that have not expired, the latest first. */
  listGuestLinks(params: { readonly jid: string; readonly now: number }): Promise<GuestLinkRecord[]>;
  /** Returns false if the account has no such link. */
  revokeGuestLink(params: { readonly jid: string; readonly id: string }): Promise<boolean>;

  recordAudit(entry: AuditEntry): Promise<void>;
  /** Lists entries, the latest first. `before`: id of the last entry of the previous page. */
  listAudit(query: { readonly before?: string; readonly limit: number }): Promise<AuditEntry[]>;
}

/** Wrong codes after which a sign-in link ends. */
export const MAX_CODE_ATTEMPTS = 5;

export interface WebSession {
  readonly secretHash: string;
  readonly jid: string;
  /** The User-Agent of the browser. */
  readonly client: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

export interface WebToken {
  readonly id: string;
  readonly secretHash: string;
  readonly jid: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  /** null = until it is revoked. */
  readonly expiresAt: number | null;
}

export interface SignInLink {
  readonly browserHash: string;
  readonly codeHash: string;
  readonly jid: string;
  readonly expiresAt: number;
}

export interface GuestLinkRecord {
  readonly id: string;
  readonly secretHash: string;
  /** The account that gets the files and is charged for them. */
  readonly jid: string;
  readonly note: string;
  /** null = no limit besides the quota of the account. */
  readonly maxBytes: number | null;
  readonly maxFiles: number | null;
  readonly usedBytes: number;
  readonly usedFiles: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface AuditEntry {
  /** A time-ordered id. */
  readonly id: string;
  readonly at: number;
  /** The account that acted, or `admin token`. */
  readonly actor: string;
  /** The network address of the client. */
  readonly address: string;
  readonly action: string;
  /** The owner of the files, or another object of the action. */
  readonly subject: string;
  readonly files: number;
  readonly bytes: number;
}

/** Steps of a sweep over the tables of the web page and the trash. */
export type WebSweepStep =
  | { /** Infected files whose time in the quarantine has passed. */ readonly kind: 'quarantine' }
  | { /** Files whose time in the trash has passed. */ readonly kind: 'trash' }
  | {
      /** Expired sessions, tokens, sign-in links and guest links of the web page. */
      readonly kind: 'web_sessions' | 'web_tokens' | 'sign_in_links' | 'guest_links';
    }
  | {
      /** Samples, counts and calls older than `KEEP_USAGE_MS`. */ readonly kind:
        | 'usage_history'
        | 'daily_counts'
        | 'hook_calls';
    }
  | { /** Audit entries up to `recordedBefore`. */ readonly kind: 'audit'; readonly recordedBefore: number };
