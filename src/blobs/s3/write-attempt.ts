import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ChunkSource } from './chunk-source.ts';
import type { S3Clients } from './client.ts';
import type { PartMemory } from './part-memory.ts';
import { parseSdkError } from './s3-error.ts';

export interface S3WriteOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
  readonly memory: PartMemory;
  /** Bytes of a part, and the most that goes up in one request; S3 wants at least 5 MiB. */
  readonly partSize: number;
}

/** One `put` on its way. */
export interface WriteAttempt extends S3WriteOptions {
  readonly name: string;
  readonly source: ChunkSource;
  /** Marks the object as the work of this very attempt. */
  readonly attemptId: string;
}

const MARK = 'porter-attempt';

/** Metadata of the object. */
export const attemptMetadata = ({ attemptId }: WriteAttempt) => ({ [MARK]: attemptId });

/** A failure after which it is not known whether S3 has done what it was asked. */
export function isOutcomeUnknown(cause: unknown): boolean {
  const { status } = parseSdkError(cause);
  return status === undefined || status >= 500;
}

/** Is what lies there the whole work of this attempt? */
export async function isStoredByAttempt(writing: WriteAttempt, size: number): Promise<boolean> {
  const { clients, bucket, name, attemptId } = writing;
  try {
    const { Metadata, ContentLength } = await clients.requests.send(
      new HeadObjectCommand({ Bucket: bucket, Key: name }),
    );
    return Metadata?.[MARK] === attemptId && ContentLength === size;
  } catch {
    return false;
  }
}
