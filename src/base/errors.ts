/** RFC 6120 §8.3.2 error types. */
type StanzaType = 'auth' | 'cancel' | 'modify' | 'wait';

interface ErrorRow {
  /** Status on doors 1 and 2 and everywhere else that `at` names no other. */
  readonly http: number;
  /** Where one door answers otherwise (CONTRACT §3 has the table). */
  readonly at?: Readonly<Partial<Record<'external' | 'file_share' | 'messages' | 'rest', number>>>;
  /** RFC 6120 §8.3.3 error type and condition; none where no stanza can meet it. */
  readonly stanza?: readonly [StanzaType, string];
  /** Child of the stanza error in `urn:xmpp:http:upload:0` (XEP-0363 §5). */
  readonly element?: 'file-too-large' | 'retry';
  /** One sentence that a person can act on, when the place that refuses knows nothing better. */
  readonly text: string;
}

/** Every refusal that a user can meet, once: each door answers from it, and the docs are held to it. */
export const errorTable = {
  bad_request: { http: 400, stanza: ['modify', 'bad-request'], text: 'The request is malformed.' },
  name_too_long: {
    http: 413,
    stanza: ['modify', 'not-acceptable'],
    text: 'The file name is too long: at most 255 bytes.',
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
    text: 'Files of this type may not be uploaded here.',
  },
  purpose_not_offered: {
    http: 400,
    stanza: ['cancel', 'feature-not-implemented'],
    text: 'This upload purpose is not offered here.',
  },
  denied: { http: 403, stanza: ['auth', 'forbidden'], text: 'You may not upload files here.' },
  quota_exceeded: {
    http: 402,
    at: { external: 507, file_share: 507, messages: 413 },
    stanza: ['wait', 'resource-constraint'],
    element: 'retry',
    text: 'Your upload quota is used up.',
  },
  service_full: {
    http: 402,
    at: { external: 507, file_share: 507, messages: 413 },
    stanza: ['wait', 'resource-constraint'],
    element: 'retry',
    text: 'This upload service is full.',
  },
  caller_refused: { http: 403, text: 'You may not use this address.' },
  unauthorized: { http: 401, text: 'This needs authorisation.' },
  signature_wrong: {
    http: 403,
    text: 'The signature of this upload link fits neither its path nor this size and type.',
  },
  slot_unknown: {
    http: 403,
    text: 'This upload link is not valid, or its time is up. Ask for a new slot.',
  },
  removed: {
    http: 403,
    at: { external: 409 },
    text: 'The file of this link was removed; the link cannot be used again.',
  },
  size_mismatch: {
    http: 400,
    at: { external: 403, file_share: 413 },
    text: 'The body is not as long as the slot says.',
  },
  type_mismatch: {
    http: 400,
    at: { external: 403 },
    text: 'The Content-Type is not the one the slot was requested for.',
  },
  length_required: { http: 411, text: 'A PUT needs a Content-Length.' },
  already_there: { http: 409, text: 'There is a file at this link already.' },
  being_uploaded: { http: 409, text: 'Another upload to this link is under way.' },
  body_cut: { http: 400, text: 'The upload broke off before its last byte. Try again.' },
  body_idle: { http: 408, text: 'The upload stood still for too long. Try again.' },
  storage_full: { http: 507, stanza: ['wait', 'resource-constraint'], text: 'There is no space left.' },
  not_found: { http: 404, stanza: ['cancel', 'item-not-found'], text: 'Nothing is here.' },
  method_not_allowed: { http: 405, text: 'This method is not allowed here.' },
  range_not_satisfiable: { http: 416, text: 'The range lies outside the file.' },
  unavailable: {
    http: 503,
    stanza: ['wait', 'service-unavailable'],
    text: 'The service is not ready. Try again soon.',
  },
  busy: {
    http: 503,
    stanza: ['wait', 'resource-constraint'],
    text: 'Too many requests at the same moment. Try again soon.',
  },
  credentials_wrong: { http: 401, at: { rest: 403 }, text: 'The JID or the password is wrong.' },
  too_many_attempts: { http: 429, text: 'Too many wrong passwords. Try again later.' },
  recipient_refused: { http: 403, text: 'This token may not write to them.' },
  sender_refused: { http: 403, text: 'You may not send from this address.' },
  stanza_unfit: { http: 422, text: 'This is no stanza that could be sent.' },
  too_many_messages: {
    http: 429,
    stanza: ['wait', 'policy-violation'],
    text: 'This token has sent as many messages as it may for now.',
  },
  message_too_large: { http: 413, stanza: ['modify', 'not-acceptable'], text: 'The message is too long.' },
  media_type_unknown: { http: 415, text: 'A body of this Content-Type is not understood here.' },
  recipient_missing: { http: 422, text: 'The message has no recipient: name one in the path or as "to".' },
  body_missing: { http: 422, text: 'The message has no body.' },
  key_reused: { http: 422, text: 'This Idempotency-Key was used for another request.' },
  key_in_use: { http: 409, text: 'The first request with this Idempotency-Key is still under way.' },
  bounced: { http: 502, text: 'The message came back.' },
  server_refused: { http: 502, text: 'The XMPP server refused.' },
  no_answer: {
    http: 504,
    stanza: ['wait', 'remote-server-timeout'],
    text: 'The XMPP server did not answer in time.',
  },
  queue_full: {
    http: 503,
    stanza: ['wait', 'resource-constraint'],
    text: 'Too many messages wait for the XMPP server already.',
  },
  not_understood: {
    http: 501,
    stanza: ['cancel', 'service-unavailable'],
    text: 'This service does not know such requests.',
  },
  internal: {
    http: 500,
    stanza: ['cancel', 'internal-server-error'],
    text: 'Something went wrong here; the log has the story.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** The row of a code, seen through the general shape. */
export function errorRow(code: ErrorCode): ErrorRow {
  return errorTable[code];
}

export interface RefusalDetails {
  /** Replaces the table's text. */
  readonly text?: string;
  /** For `file_too_large`, bytes. */
  readonly maxFileSize?: number;
  /** For quotas: the moment from which the same request fits, ms since 1970. */
  readonly retryAt?: number;
  /** For `bounced` and `server_refused`: the stanza's condition (RFC 6120 §8.3.3). */
  readonly condition?: string;
  readonly cause?: unknown;
}

/** An expected "no" on any walk through the house. All else that is thrown is a bug. */
export class Refusal extends Error {
  readonly code: ErrorCode;
  readonly maxFileSize: number | undefined;
  readonly retryAt: number | undefined;
  readonly condition: string | undefined;

  constructor(code: ErrorCode, facts: RefusalDetails = {}) {
    super(
      facts.text ?? errorTable[code].text,
      facts.cause === undefined ? undefined : { cause: facts.cause },
    );
    this.name = 'Refusal';
    this.code = code;
    this.maxFileSize = facts.maxFileSize;
    this.retryAt = facts.retryAt;
    this.condition = facts.condition;
  }
}
