import { BlobError, type BlobErrorKind } from '../contract.ts';

/** What S3 and its likes call their failures, where more can be said than that something failed. */
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
};

const INSUFFICIENT_STORAGE = 507;

interface Failure {
  readonly code: string;
  /** Status of the answer; undefined where there was none. */
  readonly status: number | undefined;
}

/** What the client library has thrown, in its two facts. */
export function parseSdkError(cause: unknown): Failure {
  const { name, code, Code, $metadata } = cause as {
    name?: string;
    code?: string;
    Code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return { code: (status === undefined ? code : Code) ?? name ?? 'unknown', status };
}

/** A failure of the client library in our words; its message names what S3 said, never a bucket or a key. */
export function toS3BlobError(cause: unknown): BlobError {
  if (cause instanceof BlobError) return cause;
  const { code, status } = parseSdkError(cause);
  const kind = status === INSUFFICIENT_STORAGE ? 'full' : (KINDS[code] ?? 'failed');
  const answer = status === undefined ? code : `${code}, status ${status}`;
  return new BlobError(kind, `The blob store failed: ${answer} from S3.`, cause);
}

/** Runs what may fail; its failure comes back in our words. */
export async function withBlobErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw toS3BlobError(cause);
  }
}
