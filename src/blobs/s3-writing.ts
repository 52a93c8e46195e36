import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { S3Clients } from './s3-client.ts';
import { failureOf } from './s3-fault.ts';
import type { PartMemory } from './s3-memory.ts';
import type { Source } from './s3-source.ts';

export interface S3WriteDeps {
  readonly clients: S3Clients;
  readonly bucket: string;
  readonly memory: PartMemory;
  /** Bytes of a part, and the most that goes up in one request; S3 wants at least 5 MiB. */
  readonly partSize: number;
}

/** One `put` on its way. */
export interface Writing extends S3WriteDeps {
  readonly name: string;
  readonly source: Source;
  /** Marks the object as the work of this very attempt. */
  readonly attempt: string;
}

const MARK = 'porter-attempt';

/** Metadata of the object. */
export const markOf = ({ attempt }: Writing) => ({ [MARK]: attempt });

/** A failure after which it is not known whether S3 has done what it was asked. */
export function isUnclear(cause: unknown): boolean {
  const { status } = failureOf(cause);
  return status === undefined || status >= 500;
}

/** Is what lies there the whole work of this attempt? */
export async function isStored(writing: Writing, size: number): Promise<boolean> {
  const { clients, bucket, name, attempt } = writing;
  try {
    const { Metadata, ContentLength } = await clients.short.send(
      new HeadObjectCommand({ Bucket: bucket, Key: name }),
    );
    return Metadata?.[MARK] === attempt && ContentLength === size;
  } catch {
    return false;
  }
}
