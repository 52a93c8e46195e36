import {
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type Part,
} from '@aws-sdk/client-s3';
import type { S3ReadOptions } from './read.ts';

/** Returns the id of the multipart upload of an object, or undefined if there is none. */
export async function findMultipart(
  { clients, bucket }: S3ReadOptions,
  name: string,
): Promise<string | undefined> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: name });
  const { Uploads = [] } = await clients.requests.send(command);
  return Uploads.find(({ Key }) => Key === name)?.UploadId;
}

/**
 * Returns the parts of a multipart upload in the order of their numbers. Follows the next page only if the list is truncated,
 * because some stores name a next page after the last one.
 */
export async function listParts(
  { clients, bucket }: S3ReadOptions,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<Part[]> {
  const upload = { Bucket: bucket, Key: name, UploadId: id };
  const parts: Part[] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const marker = after === '' ? {} : { PartNumberMarker: after };
    const page: ListPartsCommandOutput = await clients.requests.send(
      new ListPartsCommand({ ...upload, ...marker }),
    );
    parts.push(...(page.Parts ?? []));
    after = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  }
  return parts.toSorted((one, other) => (one.PartNumber ?? 0) - (other.PartNumber ?? 0));
}
