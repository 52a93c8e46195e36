import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ChunkSource } from './chunk-source.ts';
import type { S3Clients } from './client.ts';
import type { PartMemory } from './part-memory.ts';
import { parseSdkError } from './s3-error.ts';

export interface S3WriteOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
  readonly memory: PartMemory;
  /** Bytes of a part, and the largest blob sent in one request. S3 requires at least 5 MiB. */
  readonly partSize: number;
}

/** A running `put` or `append`. */
export interface WriteAttempt extends S3WriteOptions {
  readonly name: string;
  readonly source: ChunkSource;
  /** Stored in the object's metadata, so that this attempt recognizes its own object. */
  readonly attemptId: string;
}

const METADATA_KEY = 'porter-attempt';

/** Returns the metadata of the object. */
export const attemptMetadata = ({ attemptId }: WriteAttempt) => ({ [METADATA_KEY]: attemptId });

/** Returns true if it is unknown whether S3 has carried out the request: no response, or a server error. */
export function isOutcomeUnknown(cause: unknown): boolean {
  const { status } = parseSdkError(cause);
  return status === undefined || status >= 500;
}

/** Returns true if the object was written completely by this attempt. */
export async function isStoredByAttempt(write: WriteAttempt, size: number): Promise<boolean> {
  const { clients, bucket, name, attemptId } = write;
  try {
    const { Metadata, ContentLength } = await clients.requests.send(
      new HeadObjectCommand({ Bucket: bucket, Key: name }),
    );
    return Metadata?.[METADATA_KEY] === attemptId && ContentLength === size;
  } catch {
    return false;
  }
}
