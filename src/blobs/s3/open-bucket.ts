import { type BucketLocationConstraint, CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { BlobError, type BlobErrorKind } from '../contract.ts';
import type { S3Clients, S3Location } from './client.ts';
import { parseSdkError, toS3BlobError } from './s3-error.ts';

/** Looks whether the bucket can be used; makes it first where that is wanted. @throws BlobError in words for an admin */
export async function openBucket(clients: S3Clients, place: S3Location, create: boolean): Promise<void> {
  try {
    await look(clients, place).catch(async (cause) => {
      if (!create || parseSdkError(cause).code !== 'NoSuchBucket') throw cause;
      await make(clients, place);
      await look(clients, place);
    });
  } catch (cause) {
    throw explained(cause, place);
  }
}

/** Asks for a list, because its refusals come with a reason and those of `HeadBucket` do not. */
async function look({ requests }: S3Clients, { bucket, prefix }: S3Location): Promise<void> {
  await requests.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }));
}

/** Two that start at once may both make it. */
async function make({ requests }: S3Clients, { bucket, endpoint }: S3Location): Promise<void> {
  const region = await requests.config.region();
  // AWS wants to be told where; stores of one's own have their own words for places.
  const elsewhere = endpoint === null && region !== 'us-east-1';
  const LocationConstraint = region as BucketLocationConstraint;
  const order = { Bucket: bucket, ...(elsewhere && { CreateBucketConfiguration: { LocationConstraint } }) };
  await requests.send(new CreateBucketCommand(order)).catch((cause) => {
    if (parseSdkError(cause).code !== 'BucketAlreadyOwnedByYou') throw cause;
  });
}

type Words = (place: Where) => string;

interface Where {
  readonly bucket: string;
  readonly endpoint: string;
  /** Region that S3 has named in its refusal. */
  readonly region: string | undefined;
}

const wrongRegion: Words = ({ bucket, region }) =>
  region === undefined
    ? `The bucket ${bucket} is in another region: set region= in storage.blobs.`
    : `The bucket ${bucket} is in the region ${region}: set region=${region} in storage.blobs.`;
const noKeys: Words = () =>
  'There are no keys for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a profile or a role.';
const nobodyThere: Words = ({ endpoint }) =>
  `Nobody answers at ${endpoint}: is this the address of the S3 store, and can this machine reach it?`;
const tooOld: Words = () => 'The keys for S3 are temporary, and their time is up: get new ones.';

const WORDS: Readonly<Record<string, Words>> = {
  CredentialsProviderError: noKeys,
  InvalidAccessKeyId: ({ endpoint }) =>
    `${endpoint} does not know the access key: look at AWS_ACCESS_KEY_ID.`,
  SignatureDoesNotMatch: () =>
    'S3 refuses the signature: the secret key does not belong to the access key. Look at AWS_SECRET_ACCESS_KEY.',
  ExpiredToken: tooOld,
  ExpiredTokenException: tooOld,
  AccessDenied: ({ bucket }) =>
    `The keys for S3 may not list the bucket ${bucket}: docs/s3.md has the policy that Porter needs.`,
  NoSuchBucket: ({ bucket, endpoint }) =>
    `There is no bucket ${bucket} at ${endpoint}: make it, or add create=true to storage.blobs.`,
  BucketAlreadyExists: ({ bucket }) => `The bucket ${bucket} belongs to somebody else: choose another name.`,
  InvalidBucketName: ({ bucket }) => `${bucket} cannot be the name of a bucket.`,
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: () =>
    'The clock of this machine is wrong by many minutes, and S3 takes no such requests: set it.',
  ENOTFOUND: nobodyThere,
  EAI_AGAIN: nobodyThere,
  ECONNREFUSED: nobodyThere,
  ECONNRESET: nobodyThere,
  EHOSTUNREACH: nobodyThere,
  ENETUNREACH: nobodyThere,
  ETIMEDOUT: nobodyThere,
  TimeoutError: nobodyThere,
};

/** Kinds of failures that have no answer of S3 behind them. */
const KINDS: Readonly<Record<string, BlobErrorKind>> = { CredentialsProviderError: 'denied' };

function explained(cause: unknown, { bucket, endpoint }: S3Location): BlobError {
  const fault = toS3BlobError(cause);
  const { code, status } = parseSdkError(cause);
  const kind = KINDS[code] ?? fault.kind;
  const region = regionIn(cause);
  const where = { bucket, endpoint: endpoint ?? 'AWS', region };
  const words = WORDS[code] ?? (status === 301 ? wrongRegion : undefined);
  if (words) return new BlobError(kind, words(where), cause);
  if ((cause as Error).message === 'Region is missing')
    return new BlobError(
      'failed',
      'There is no region for S3: add region=… to storage.blobs, or set AWS_REGION.',
      cause,
    );
  if (isTls(code))
    return new BlobError(
      'failed',
      `${where.endpoint} has a certificate that this machine does not trust (${code}).`,
      cause,
    );
  return new BlobError(
    kind,
    `${where.endpoint} does not answer as an S3 store does (${status ?? code}): ${(cause as Error).message}`,
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

/** Node's words for certificates that it does not take. */
const isTls = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO|TLS|SSL/.test(code);
