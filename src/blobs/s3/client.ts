import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { createStreamingHandler } from './streaming-handler.ts';

const HASH = 'x-amz-content-sha256';
/** Bytes. */
const HASHED_UP_TO = 256 * 1024;

export interface S3Location {
  readonly bucket: string;
  /** What all keys begin with, without slashes around it; empty for none. */
  readonly prefix: string;
  /** Null for AWS itself. */
  readonly endpoint: string | null;
  /** The endpoint by which others reach the same store; null where it is the same. */
  readonly publicEndpoint: string | null;
  /** Null for what the environment or the profile says. */
  readonly region: string | null;
  /** Is the bucket named in the path, and not in the host? */
  readonly pathStyle: boolean;
}

/** Clients of one store. They share its keys, which come by the standard AWS environment, profile or role. */
export interface S3Clients {
  /** For all requests that are soon done; tries again what can be tried again. */
  readonly requests: S3Client;
  /** For answers that last as long as their reader takes. */
  readonly downloads: S3Client;
  /** For bodies of `streamedBody()`; never tries again. */
  readonly uploads: S3Client;
  /** Makes links for others. */
  readonly presigner: S3Client;
  close(): void;
}

const nothing = () => {};
/** What goes wrong comes back as a failure; the library has nothing to say on the console. */
const quiet = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

const CONNECT_WITHIN = 5_000;
/** Milliseconds for an answer to begin. */
export const RESPONSE_TIMEOUT_MS = 60_000;
/** Short requests at a time. Others wait in line. */
const AT_ONCE = 64;

export function openS3Clients(place: S3Location): S3Clients {
  const requests = new S3Client({ ...configOf(place), requestHandler: handlerOptions(AT_ONCE) });
  leaveLargeUnhashed(requests);
  const shared = { ...configOf(place), credentials: requests.config.credentials };
  const downloads = new S3Client({ ...shared, requestHandler: handlerOptions(Number.POSITIVE_INFINITY) });
  const uploads = new S3Client({
    ...shared,
    maxAttempts: 1,
    requestHandler: createStreamingHandler(RESPONSE_TIMEOUT_MS),
  });
  const { publicEndpoint } = place;
  const presigner = new S3Client({ ...shared, ...(publicEndpoint !== null && { endpoint: publicEndpoint }) });
  const all = [requests, downloads, uploads, presigner];
  return {
    requests,
    downloads,
    uploads,
    presigner,
    close() {
      for (const client of all) client.destroy();
    },
  };
}

/** A hash of 8 MiB would hold up everybody else for 20 ms; TLS is there to keep bytes whole. */
function leaveLargeUnhashed({ middlewareStack }: S3Client): void {
  middlewareStack.add(
    (next) => (args) => {
      const { body, headers } = args.request as { body?: unknown; headers: Record<string, string> };
      if (Buffer.isBuffer(body) && body.length > HASHED_UP_TO) headers[HASH] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'leaveLargeUnhashed' },
  );
}

function configOf({ endpoint, region, pathStyle }: S3Location): S3ClientConfig {
  const known = region ?? regionOf(endpoint);
  return {
    forcePathStyle: pathStyle,
    maxAttempts: 3,
    // What goes beyond plain S3 is left out: not every store knows it.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: quiet,
    ...(endpoint !== null && { endpoint }),
    ...(known !== undefined && { region: known }),
  };
}

/** Stores of one's own seldom care for a region, but the signature needs a word. */
function regionOf(endpoint: string | null): string | undefined {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  return AWS_REGION ?? AWS_DEFAULT_REGION ?? (endpoint === null ? undefined : 'us-east-1');
}

function handlerOptions(maxSockets: number) {
  const agent = { keepAlive: true, maxSockets, maxFreeSockets: AT_ONCE };
  return {
    httpAgent: new Agent(agent),
    httpsAgent: new SecureAgent(agent),
    connectionTimeout: CONNECT_WITHIN,
    requestTimeout: RESPONSE_TIMEOUT_MS,
    throwOnRequestTimeout: true,
    logger: quiet,
  };
}
