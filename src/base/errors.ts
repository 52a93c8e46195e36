/** Stanza error types (RFC 6120, section 8.3.2). */
type StanzaType = 'auth' | 'cancel' | 'modify' | 'wait';

export type UploadErrorElement = 'file-too-large' | 'retry';
export type CommandErrorElement =
  | 'bad-action'
  | 'bad-payload'
  | 'bad-sessionid'
  | 'malformed-action'
  | 'session-expired';

/** The answers to one error, by protocol. */
interface ErrorRow {
  /** HTTP status at all endpoints that are not in `httpAt`. */
  readonly http: number;
  /** HTTP status at single endpoints. Their clients expect the status of the server that Porter replaces (docs/protocols.md). */
  readonly httpAt?: Readonly<Partial<Record<'external' | 'file_share' | 'messages' | 'rest', number>>>;
  /** Stanza error type and condition (RFC 6120, section 8.3.3). Absent if the error cannot occur over XMPP. */
  readonly stanza?: readonly [StanzaType, string];
  /**
   * Application-specific child of the stanza error: of uploads in `urn:xmpp:http:upload:0` (XEP-0363, section 5), of commands in
   * `http://jabber.org/protocol/commands` (XEP-0050, section 4.4).
   */
  readonly element?: UploadErrorElement | CommandErrorElement;
  /** The default text for users. A `Refusal` may replace it by a more specific one. */
  readonly text: string;
}

/** All expected errors. Each endpoint answers from this table, and `docs/errors.md` is generated from it. */
export const errorTable = {
  bad_request: { http: 400, stanza: ['modify', 'bad-request'], text: 'The request is malformed.' },
  name_too_long: {
    http: 413,
    stanza: ['modify', 'not-acceptable'],
    text: 'The path of this link is too long.',
  },
  file_too_large: {
    http: 413,
    stanza: ['modify', 'not-acceptable'],
    element: 'file-too-large',
    text: 'The file is too large.',
  },
  type_not_allowed: {
    http: 403,
    stanza: ['modify', 'not-acceptable'],
    text: 'This service does not accept files of this type.',
  },
  purpose_not_offered: {
    http: 400,
    stanza: ['cancel', 'feature-not-implemented'],
    text: 'This service does not offer this upload purpose.',
  },
  denied: {
    http: 403,
    stanza: ['auth', 'forbidden'],
    text: 'You are not allowed to upload files to this service.',
  },
  quota_exceeded: {
    http: 402,
    httpAt: { external: 507, file_share: 507, messages: 413 },
    stanza: ['wait', 'resource-constraint'],
    element: 'retry',
    text: 'Your upload quota is used up.',
  },
  service_full: {
    http: 402,
    httpAt: { external: 507, file_share: 507, messages: 413 },
    stanza: ['wait', 'resource-constraint'],
    element: 'retry',
    text: 'This upload service is full.',
  },
  caller_refused: { http: 403, text: 'This client may not use this address.' },
  unauthorized: { http: 401, text: 'Authorization required.' },
  not_permitted: { http: 403, text: 'You are not permitted to do this.' },
  csrf_wrong: {
    http: 403,
    text: 'The X-CSRF-Token header is missing or does not belong to this session. Load the page again.',
  },
  signature_wrong: {
    http: 403,
    text: 'The signature of this upload link does not match its path, file size and type.',
  },
  slot_unknown: {
    http: 403,
    text: 'This upload link is invalid or has expired. Request a new slot.',
  },
  removed: {
    http: 403,
    httpAt: { external: 409 },
    text: 'The file of this link has been deleted. The link cannot be used again.',
  },
  size_mismatch: {
    http: 400,
    httpAt: { external: 403, file_share: 413 },
    text: 'The length of the body differs from the size in the slot request.',
  },
  type_mismatch: {
    http: 400,
    httpAt: { external: 403 },
    text: 'The Content-Type differs from the one in the slot request.',
  },
  length_inconsistent: {
    http: 400,
    text: 'The requests of this upload declare different lengths.',
  },
  offset_mismatch: { http: 409, text: 'The upload must continue at another offset.' },
  length_required: { http: 411, text: 'The request needs a Content-Length header.' },
  already_there: { http: 409, text: 'A file has already been uploaded to this link.' },
  being_uploaded: { http: 409, text: 'Another upload to this link is in progress.' },
  body_cut: { http: 400, text: 'The upload ended before its last byte. Try again.' },
  body_idle: { http: 408, text: 'The upload received no data for too long. Try again.' },
  body_slow: { http: 408, text: 'The body of the request took too long to arrive. Try again.' },
  infected: { http: 422, text: 'The file was not stored: the virus scanner has found malware in it.' },
  file_blocked: { http: 422, text: 'This file is blocked by the administrator of this service.' },
  scanner_unavailable: {
    http: 503,
    text: 'The file was not stored, because the virus scanner does not answer. Try again later.',
  },
  storage_full: {
    http: 507,
    stanza: ['wait', 'resource-constraint'],
    text: 'The server has no storage space left.',
  },
  not_found: { http: 404, stanza: ['cancel', 'item-not-found'], text: 'Not found.' },
  method_not_allowed: { http: 405, text: 'This method is not allowed for this path.' },
  range_not_satisfiable: { http: 416, text: 'The requested range lies outside the file.' },
  unavailable: {
    http: 503,
    stanza: ['wait', 'service-unavailable'],
    text: 'The service is not ready. Try again soon.',
  },
  busy: {
    http: 503,
    stanza: ['wait', 'resource-constraint'],
    text: 'Too many requests at the same time. Try again soon.',
  },
  credentials_wrong: { http: 401, httpAt: { rest: 403 }, text: 'The JID or the password is wrong.' },
  too_many_attempts: { http: 429, text: 'Too many failed logins. Try again later.' },
  recipient_refused: { http: 403, text: 'This token may not send to this recipient.' },
  sender_refused: { http: 403, text: 'You are not allowed to send from this address.' },
  stanza_unfit: { http: 422, text: 'The stanza is invalid.' },
  too_many_messages: {
    http: 429,
    stanza: ['wait', 'policy-violation'],
    text: 'This token has reached its message limit. Try again later.',
  },
  message_too_large: { http: 413, stanza: ['modify', 'not-acceptable'], text: 'The message is too long.' },
  media_type_unknown: { http: 415, text: 'The Content-Type of the request is not supported.' },
  recipient_missing: { http: 422, text: 'The message has no recipient. Give one in the path or as "to".' },
  body_missing: { http: 422, text: 'The message has no body.' },
  key_reused: { http: 422, text: 'This Idempotency-Key was already used for a different request.' },
  key_in_use: { http: 409, text: 'The first request with this Idempotency-Key is still in progress.' },
  bounced: { http: 502, text: 'The message was returned with an error.' },
  server_refused: { http: 502, text: 'The XMPP server refused the request.' },
  no_answer: {
    http: 504,
    stanza: ['wait', 'remote-server-timeout'],
    text: 'The XMPP server did not answer in time.',
  },
  queue_full: {
    http: 503,
    stanza: ['wait', 'resource-constraint'],
    text: 'The queue of messages for the XMPP server is full. Try again later.',
  },
  not_understood: {
    http: 501,
    stanza: ['cancel', 'service-unavailable'],
    text: 'This service does not support this request.',
  },
  command_denied: {
    http: 403,
    stanza: ['auth', 'forbidden'],
    text: 'You are not allowed to run this command.',
  },
  command_action_malformed: {
    http: 400,
    stanza: ['modify', 'bad-request'],
    element: 'malformed-action',
    text: 'The action must be execute, prev, next, complete or cancel.',
  },
  command_action_wrong: {
    http: 400,
    stanza: ['modify', 'bad-request'],
    element: 'bad-action',
    text: 'The command does not offer this action now.',
  },
  command_form_wrong: {
    http: 400,
    stanza: ['modify', 'bad-request'],
    element: 'bad-payload',
    text: 'The command needs a form of the type submit.',
  },
  command_session_unknown: {
    http: 400,
    stanza: ['modify', 'bad-request'],
    element: 'bad-sessionid',
    text: 'The session id does not belong to this command.',
  },
  command_session_expired: {
    http: 403,
    stanza: ['cancel', 'not-allowed'],
    element: 'session-expired',
    text: 'This command has expired. Start it again.',
  },
  internal: {
    http: 500,
    stanza: ['cancel', 'internal-server-error'],
    text: 'Internal error. Ask the administrator to look at the log of the server.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** Returns the row of a code in `errorTable`, as the general type. */
export function errorRow(code: ErrorCode): ErrorRow {
  return errorTable[code];
}

export interface RefusalDetails {
  /** Replaces the table's text. */
  readonly text?: string;
  /** For `file_too_large`: bytes. */
  readonly maxFileSize?: number;
  /** For quotas: the time from which the same request is within the quota, in ms since 1970. */
  readonly retryAt?: number;
  /** For `bounced` and `server_refused`: the condition of the received stanza error (RFC 6120, section 8.3.3). */
  readonly condition?: string;
  /** For `denied`: the access rule that decides. For the log only. */
  readonly rule?: string;
  /** The owner, if the refused request was authenticated. For the log and `porter why`. */
  readonly owner?: string;
  readonly cause?: unknown;
}

/** An expected error, answered by its row of `errorTable`. Any other error that reaches an endpoint is a bug. */
export class Refusal extends Error {
  readonly code: ErrorCode;
  readonly maxFileSize: number | undefined;
  readonly retryAt: number | undefined;
  readonly condition: string | undefined;
  readonly rule: string | undefined;
  readonly owner: string | undefined;

  constructor(code: ErrorCode, details: RefusalDetails = {}) {
    super(
      details.text ?? errorTable[code].text,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = 'Refusal';
    this.code = code;
    this.maxFileSize = details.maxFileSize;
    this.retryAt = details.retryAt;
    this.condition = details.condition;
    this.rule = details.rule;
    this.owner = details.owner;
  }
}

/** Returns the reason of a failed request as one word, such as `ECONNREFUSED`. Omits the URL, because it may contain secrets. */
export function networkErrorReason(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string') return current.code;
    if (current.cause === undefined) return current.name;
  }
  return 'failed';
}
