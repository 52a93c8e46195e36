/** Kinds of `LedgerError`, `BlobError`, `StoreIdentityError` and others whose message has the cause and the remedy. */
const EXPLAINED_KINDS = new Set([
  'full',
  'denied',
  'busy',
  'unreachable',
  'newer',
  'moved',
  'missing',
  'mismatch',
  'closed',
]);

/** Primary result codes of SQLite for the disk and permissions: PERM, BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN. */
const SQLITE_CODES = new Set([3, 5, 6, 8, 10, 13, 14]);

/** Classes of SQLSTATE for the connection, the login, the database, resources, an operator and the state of the server. */
const SQLSTATE = /^(?:08|28|3D|53|57|25)[0-9A-Z]{3}$/;

interface ErrorDetails {
  readonly code?: unknown;
  readonly kind?: unknown;
  readonly errcode?: unknown;
  /** Set by the AWS SDK in errors of the service: `client` or `server`. */
  readonly $fault?: unknown;
}

/**
 * Returns true for an error that comes from the environment: network, disk, permissions, an unreachable server. Its message is enough;
 * a stack would look like a bug of Porter.
 */
export function hasKnownCause(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, kind, errcode, $fault } = error as ErrorDetails;
  if (typeof kind === 'string' && EXPLAINED_KINDS.has(kind)) return true;
  if (typeof code === 'string' && (isSystemErrorCode(code) || SQLSTATE.test(code))) return true;
  if (typeof errcode === 'number' && SQLITE_CODES.has(errcode & 0xff)) return true;
  return $fault !== undefined || hasKnownCause(error.cause);
}

/** `ENOENT`, `ECONNREFUSED` and so on, but not `ERR_INVALID_ARG_TYPE`, which is a bug of the caller. */
const isSystemErrorCode = (code: string) => /^E[A-Z0-9]+$/.test(code) && !code.startsWith('ERR');
