import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type Agents, createDirectRequests, type DirectRequests, hashHeader } from './direct-requests.ts';
import { createStreamingHandler } from './streaming-handler.ts';

export interface S3Location {
  readonly bucket: string;
  /** Prefix of all keys, without slashes around it; may be empty. */
  readonly prefix: string;
  /** Null for AWS itself. */
  readonly endpoint: string | null;
  /** The endpoint through which clients reach the same store; null if it is the same. */
  readonly publicEndpoint: string | null;
  /** Null for the region of the environment or profile. */
  readonly region: string | null;
  /** True if URLs name the bucket in the path instead of the host. */
  readonly pathStyle: boolean;
}

/** Clients of one store. They share its credentials, which come from the AWS environment, profile or role. */
export interface S3Clients {
  /** For short requests. Retries them where that is safe. */
  readonly requests: S3Client;
  /** For downloads, whose responses take as long as their readers need. */
  readonly downloads: S3Client;
  /** For bodies of `createStreamedBody()`. Never retries, because they cannot be sent twice. */
  readonly uploads: S3Client;
  /** First attempts of the most frequent requests. */
  readonly direct: DirectRequests;
  /** Signs URLs for clients. */
  readonly presigner: S3Client;
  close(): void;
}

const ignore = () => {};
/** Errors are thrown, so the SDK need not log to the console. */
const silentLogger = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

const CONNECT_TIMEOUT_MS = 5_000;
/** Maximum time until a response begins. */
export const RESPONSE_TIMEOUT_MS = 60_000;
/** Maximum number of concurrent short requests. Others wait. */
const MAX_SOCKETS = 64;

export function openS3Clients(location: S3Location): S3Clients {
  const agents = { put: createAgents(MAX_SOCKETS), get: createAgents(Number.POSITIVE_INFINITY) };
  const requests = new S3Client({ ...toClientConfig(location), requestHandler: handlerOptions(agents.put) });
  skipHashOfLargeBodies(requests);
  const shared = { ...toClientConfig(location), credentials: requests.config.credentials };
  const downloads = new S3Client({ ...shared, requestHandler: handlerOptions(agents.get) });
  const uploads = new S3Client({
    ...shared,
    maxAttempts: 1,
    requestHandler: createStreamingHandler(RESPONSE_TIMEOUT_MS),
  });
  const { publicEndpoint } = location;
  const presigner = new S3Client({ ...shared, ...(publicEndpoint !== null && { endpoint: publicEndpoint }) });
  const all = [requests, downloads, uploads, presigner];
  return {
    requests,
    downloads,
    uploads,
    direct: createDirectRequests(requests, location.bucket, agents, {
      connectMs: CONNECT_TIMEOUT_MS,
      responseMs: RESPONSE_TIMEOUT_MS,
    }),
    presigner,
    close() {
      for (const client of all) client.destroy();
    },
  };
}

/** Makes the client send large bodies without a hash in the signature, as `DirectRequests` does. */
function skipHashOfLargeBodies({ middlewareStack }: S3Client): void {
  middlewareStack.add(
    (next) => (args) => {
      const { body, headers } = args.request as { body?: unknown; headers: Record<string, string> };
      if (Buffer.isBuffer(body)) Object.assign(headers, hashHeader(body));
      return next(args);
    },
    { step: 'build', name: 'skipHashOfLargeBodies' },
  );
}

function toClientConfig({ endpoint, region, pathStyle }: S3Location): S3ClientConfig {
  const effectiveRegion = region ?? defaultRegion(endpoint);
  return {
    forcePathStyle: pathStyle,
    maxAttempts: 3,
    // Extensions of plain S3 are off, because not every store supports them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: silentLogger,
    ...(endpoint !== null && { endpoint }),
    ...(effectiveRegion !== undefined && { region: effectiveRegion }),
  };
}

/** Self-hosted stores ignore the region, but the signature needs one. */
function defaultRegion(endpoint: string | null): string | undefined {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  return AWS_REGION ?? AWS_DEFAULT_REGION ?? (endpoint === null ? undefined : 'us-east-1');
}

function createAgents(maxSockets: number): Agents {
  const options = { keepAlive: true, maxSockets, maxFreeSockets: MAX_SOCKETS };
  return { httpAgent: new Agent(options), httpsAgent: new SecureAgent(options) };
}

function handlerOptions(agents: Agents) {
  return {
    ...agents,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: RESPONSE_TIMEOUT_MS,
    throwOnRequestTimeout: true,
    logger: silentLogger,
  };
}
