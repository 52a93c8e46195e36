import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type ListPartsCommandOutput,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { BlobError, type StoredBlob } from '../contract.ts';
import { isBlobKey, parsePartKey, partKey } from '../keys.ts';
import type { S3Clients } from './client.ts';
import { parseSdkError, toS3BlobError } from './s3-error.ts';

export interface S3ListOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
  /** What the name of every object has before the key. */
  readonly base: string;
}

/** As many as S3 takes at a time. */
const AT_ONCE = 1000;

async function* listObjects({ clients, bucket, base }: S3ListOptions): AsyncGenerator<StoredBlob> {
  const pages = paginateListObjectsV2({ client: clients.requests }, { Bucket: bucket, Prefix: base });
  for await (const { Contents = [] } of pages) {
    for (const { Key = '', Size = 0, LastModified } of Contents) {
      const key = Key.slice(base.length);
      if (isBlobKey(key)) yield { key, size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
    }
  }
}

/** Writes that are under way, or broke off with their process. */
async function* listUnfinished({ clients, bucket, base }: S3ListOptions): AsyncGenerator<Unfinished> {
  for (let after: Marker | undefined = {}; after; ) {
    const page: ListMultipartUploadsCommandOutput = await clients.requests.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: base, ...after }),
    );
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const key = Key.slice(base.length);
      if (isBlobKey(key)) yield { key, name: Key, id: UploadId, begunAt: Initiated?.getTime() ?? 0 };
    }
    after = nextOf(page);
  }
}

interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

function nextOf({ IsTruncated, NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsCommandOutput) {
  if (!IsTruncated || !NextKeyMarker) return undefined;
  return { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) };
}

interface Unfinished {
  readonly key: string;
  /** Of the object. */
  readonly name: string;
  readonly id: string;
  readonly begunAt: number;
}

/** All blobs, and as `<key>.part` the writes that are not finished. */
export async function* listS3Blobs(deps: S3ListOptions): AsyncGenerator<StoredBlob> {
  try {
    yield* listObjects(deps);
    for await (const { key, begunAt } of listUnfinished(deps))
      yield { key: partKey(key), size: 0, modifiedAt: begunAt };
  } catch (cause) {
    throw toS3BlobError(cause);
  }
}

/** Keys, or names of unfinished writes. */
export async function removeObjects(deps: S3ListOptions, keys: readonly string[]): Promise<void> {
  const parts = new Set(keys.map(parsePartKey).filter((key) => key !== undefined));
  const whole = keys.filter((key) => parsePartKey(key) === undefined);
  for (let at = 0; at < whole.length; at += AT_ONCE) await removeSome(deps, whole.slice(at, at + AT_ONCE));
  if (parts.size === 0) return;
  for await (const unfinished of listUnfinished(deps)) {
    if (parts.has(unfinished.key)) await abort(deps, unfinished);
  }
}

async function removeSome({ clients, bucket, base }: S3ListOptions, keys: readonly string[]): Promise<void> {
  const [only] = keys;
  if (keys.length === 1) {
    await clients.requests.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${base}${only}` }));
    return;
  }
  const Delete = { Quiet: true, Objects: keys.map((key) => ({ Key: base + key })) };
  // The checksum that every store knows.
  const order = new DeleteObjectsCommand({ Bucket: bucket, Delete, ChecksumAlgorithm: 'MD5' });
  const { Errors = [] } = await clients.requests.send(order);
  const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
  if (failed)
    throw new BlobError('failed', `The blob store failed: S3 said ${failed.Code} to a removal.`, failed);
}

async function abort({ clients, bucket }: S3ListOptions, { name, id }: Unfinished): Promise<void> {
  const order = new AbortMultipartUploadCommand({ Bucket: bucket, Key: name, UploadId: id });
  await clients.requests.send(order).catch(unlessGone);
}

/** Ends writes into which nothing has come since `before`; returns how many. */
export async function abortStaleUploads(deps: S3ListOptions, before: number): Promise<number> {
  let removed = 0;
  for await (const unfinished of listUnfinished(deps)) {
    if (!(await isStale(deps, unfinished, before))) continue;
    await abort(deps, unfinished);
    removed += 1;
  }
  return removed;
}

async function isStale(deps: S3ListOptions, unfinished: Unfinished, before: number): Promise<boolean> {
  if (unfinished.begunAt >= before) return false;
  const latest = await lastPartAt(deps, unfinished).catch(unlessGone);
  return latest !== undefined && latest < before;
}

/** When its latest part came; 0 where there is none. Some stores name a next page after the last one. */
async function lastPartAt({ clients, bucket }: S3ListOptions, { name, id }: Unfinished): Promise<number> {
  const upload = { Bucket: bucket, Key: name, UploadId: id };
  let latest = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    const marker = after === '' ? {} : { PartNumberMarker: after };
    const page: ListPartsCommandOutput = await clients.requests.send(
      new ListPartsCommand({ ...upload, ...marker }),
    );
    for (const { LastModified } of page.Parts ?? []) latest = Math.max(latest, LastModified?.getTime() ?? 0);
    after = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  }
  return latest;
}

/** Somebody else may have ended it meanwhile. */
function unlessGone(cause: unknown): void {
  if (parseSdkError(cause).code !== 'NoSuchUpload') throw cause;
}
