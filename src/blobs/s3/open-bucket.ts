import { type BucketLocationConstraint, CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { BlobError, type BlobErrorKind } from '../contract.ts';
import type { S3Clients, S3Location } from './client.ts';
import { parseSdkError, toS3BlobError } from './s3-error.ts';

/** Checks that the bucket can be used, and creates it first if `create` is set. Throws `BlobError` with a text for the admin. */
export async function openBucket(clients: S3Clients, location: S3Location, create: boolean): Promise<void> {
  try {
    await checkBucket(clients, location).catch(async (cause) => {
      if (!create || parseSdkError(cause).code !== 'NoSuchBucket') throw cause;
      await createBucket(clients, location);
      await checkBucket(clients, location);
    });
  } catch (cause) {
    throw explain(cause, location);
  }
}

/** Lists the bucket, because the errors of `HeadBucket` come without a reason. */
async function checkBucket({ requests }: S3Clients, { bucket, prefix }: S3Location): Promise<void> {
  await requests.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }));
}

/** Creates the bucket. Succeeds if another process has created it meanwhile. */
async function createBucket({ requests }: S3Clients, { bucket, endpoint }: S3Location): Promise<void> {
  const region = await requests.config.region();
  // Only AWS needs the region here; self-hosted stores use other region names.
  const needsRegion = endpoint === null && region !== 'us-east-1';
  const LocationConstraint = region as BucketLocationConstraint;
  const params = {
    Bucket: bucket,
    ...(needsRegion && { CreateBucketConfiguration: { LocationConstraint } }),
  };
  await requests.send(new CreateBucketCommand(params)).catch((cause) => {
    if (parseSdkError(cause).code !== 'BucketAlreadyOwnedByYou') throw cause;
  });
}

/** Builds the text of an error for the admin. */
type Message = (context: ErrorContext) => string;

interface ErrorContext {
  readonly bucket: string;
  readonly endpoint: string;
  /** The region that the error response names. */
  readonly region: string | undefined;
}

const wrongRegion: Message = ({ bucket, region }) =>
  region === undefined
    ? `The bucket ${bucket} is in another region. Set region= in storage.blobs.`
    : `The bucket ${bucket} is in the region ${region}. Set region=${region} in storage.blobs.`;
const noCredentials: Message = () =>
  'No S3 credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a profile or a role.';
const noAnswer: Message = ({ endpoint }) =>
  `No answer from ${endpoint}. Check that this is the address of the S3 store and that this machine can reach it.`;
const expired: Message = () => 'The temporary S3 credentials have expired. Get new ones.';

const MESSAGES: Readonly<Record<string, Message>> = {
  CredentialsProviderError: noCredentials,
  InvalidAccessKeyId: ({ endpoint }) => `${endpoint} does not know the access key. Check AWS_ACCESS_KEY_ID.`,
  SignatureDoesNotMatch: () =>
    'S3 refuses the signature: the secret key does not belong to the access key. Check AWS_SECRET_ACCESS_KEY.',
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  AccessDenied: ({ bucket }) =>
    `The S3 credentials may not list the bucket ${bucket}. Grant the policy shown in docs/s3.md.`,
  NoSuchBucket: ({ bucket, endpoint }) =>
    `There is no bucket ${bucket} at ${endpoint}. Create it, or add create=true to storage.blobs.`,
  BucketAlreadyExists: ({ bucket }) =>
    `The bucket ${bucket} belongs to another account. Choose another name.`,
  InvalidBucketName: ({ bucket }) => `${bucket} is not a valid bucket name. Change bucket= in storage.blobs.`,
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: () =>
    'The clock of this machine is wrong by more than 15 minutes, so S3 refuses its requests. Set the clock.',
  ENOTFOUND: noAnswer,
  EAI_AGAIN: noAnswer,
  ECONNREFUSED: noAnswer,
  ECONNRESET: noAnswer,
  EHOSTUNREACH: noAnswer,
  ENETUNREACH: noAnswer,
  ETIMEDOUT: noAnswer,
  TimeoutError: noAnswer,
};

/** Kinds of errors without a response from S3. */
const KINDS: Readonly<Record<string, BlobErrorKind>> = { CredentialsProviderError: 'denied' };

function explain(cause: unknown, { bucket, endpoint }: S3Location): BlobError {
  const error = toS3BlobError(cause);
  const { code, status } = parseSdkError(cause);
  const kind = KINDS[code] ?? error.kind;
  const region = regionIn(cause);
  const context = { bucket, endpoint: endpoint ?? 'AWS', region };
  const message = MESSAGES[code] ?? (status === 301 ? wrongRegion : undefined);
  if (message) return new BlobError(kind, message(context), cause);
  if ((cause as Error).message === 'Region is missing')
    return new BlobError(
      'failed',
      'No S3 region is set. Add region=… to storage.blobs, or set AWS_REGION.',
      cause,
    );
  if (isTls(code))
    return new BlobError(
      'failed',
      `This machine does not trust the certificate of ${context.endpoint} (${code}). Add its CA to NODE_EXTRA_CA_CERTS.`,
      cause,
    );
  return new BlobError(
    kind,
    `${context.endpoint} did not answer like an S3 store (${status ?? code}): ${(cause as Error).message}`,
    cause,
  );
}

function regionIn(cause: unknown): string | undefined {
  const { Region, $response } = cause as {
    Region?: string;
    $response?: { headers?: Record<string, string> };
  };
  return Region ?? $response?.headers?.['x-amz-bucket-region'];
}

/** Error codes of Node for untrusted certificates. */
const isTls = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO|TLS|SSL/.test(code);
