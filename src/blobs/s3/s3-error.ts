import { BlobError, type BlobErrorKind } from '../contract.ts';

/** Error codes of S3 and compatible stores. All others are `failed`. */
const KINDS: Readonly<Record<string, BlobErrorKind>> = {
  QuotaExceeded: 'full',
  BucketQuotaExceeded: 'full',
  StorageQuotaExceeded: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  InsufficientStorage: 'full',
  InsufficientCapacity: 'full',
  EntityTooLarge: 'full',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredToken: 'denied',
  InvalidToken: 'denied',
  Forbidden: 'denied',
  NoSuchKey: 'missing',
  NoSuchBucket: 'missing',
  NoSuchUpload: 'missing',
  NotFound: 'missing',
  SlowDown: 'busy',
  TooManyRequests: 'busy',
  Throttling: 'busy',
  ThrottlingException: 'busy',
  RequestLimitExceeded: 'busy',
  RequestTimeout: 'busy',
};

const INSUFFICIENT_STORAGE = 507;

interface SdkError {
  readonly code: string;
  /** HTTP status; undefined if there was no response. */
  readonly status: number | undefined;
}

/** Returns the code and status of an error that the AWS SDK has thrown. */
export function parseSdkError(cause: unknown): SdkError {
  const { name, code, Code, $metadata } = cause as {
    name?: string;
    code?: string;
    Code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return { code: (status === undefined ? code : Code) ?? name ?? 'unknown', status };
}

/** Converts an SDK error. The message names the S3 error code, but no bucket or key, because end users may see it. */
export function toS3BlobError(cause: unknown): BlobError {
  if (cause instanceof BlobError) return cause;
  const { code, status } = parseSdkError(cause);
  const kind = status === INSUFFICIENT_STORAGE ? 'full' : (KINDS[code] ?? 'failed');
  const detail = status === undefined ? code : `${code}, status ${status}`;
  return new BlobError(kind, `The blob store failed: ${detail} from S3.`, cause);
}

/** Converts the errors of `work` to `BlobError`. */
export async function withBlobErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw toS3BlobError(cause);
  }
}
