import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { isResumableBlobKey, parsePartKey, parseTailKey, partKey, tailKey } from '../../base/blob-keys.ts';
import { BlobError, type FailedRemoval, isBlobKey, type StoredBlob } from '../contract.ts';
import type { S3Clients } from './client.ts';
import { listParts } from './list-parts.ts';
import { parseSdkError, toS3BlobError } from './s3-error.ts';

export interface S3ListOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
  /** Prefix of every object name before the key. */
  readonly base: string;
}

/** Largest DeleteObjects request that S3 accepts. */
const DELETE_BATCH = 1000;

async function* listObjects({ clients, bucket, base }: S3ListOptions): AsyncGenerator<StoredBlob> {
  const pages = paginateListObjectsV2({ client: clients.requests }, { Bucket: bucket, Prefix: base });
  for await (const { Contents = [] } of pages) {
    for (const { Key = '', Size = 0, LastModified } of Contents) {
      const key = Key.slice(base.length);
      if (!isBlobKey(key)) continue;
      const tailOf = parseTailKey(key);
      const name = tailOf === undefined ? key : partKey(tailOf);
      yield { key: name, size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
    }
  }
}

/** Yields multipart uploads that are running or were abandoned; only those of one key, if it is given. */
async function* listUnfinished(
  { clients, bucket, base }: S3ListOptions,
  ofKey = '',
): AsyncGenerator<Unfinished> {
  for (let after: Marker | undefined = {}; after; ) {
    const page: ListMultipartUploadsCommandOutput = await clients.requests.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: base + ofKey, ...after }),
    );
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const key = Key.slice(base.length);
      if (isBlobKey(key)) yield { key, name: Key, id: UploadId, startedAt: Initiated?.getTime() ?? 0 };
    }
    after = nextMarker(page);
  }
}

interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

function nextMarker({ IsTruncated, NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsCommandOutput) {
  if (!IsTruncated || !NextKeyMarker) return undefined;
  return { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) };
}

interface Unfinished {
  readonly key: string;
  /** Object name. */
  readonly name: string;
  readonly id: string;
  readonly startedAt: number;
}

/** Yields all blobs, and unfinished writes as `<key>.part`; only those whose keys pass `filter`. */
export async function* listS3Blobs(
  options: S3ListOptions,
  filter = (_key: string) => true,
): AsyncGenerator<StoredBlob> {
  try {
    for await (const blob of listObjects(options)) if (filter(blob.key)) yield blob;
    for await (const { key, startedAt } of listUnfinished(options))
      if (filter(partKey(key))) yield { key: partKey(key), size: 0, modifiedAt: startedAt };
  } catch (cause) {
    throw toS3BlobError(cause);
  }
}

/** Removes blobs by key and unfinished writes by their name (`<key>.part`). Returns those that could not be removed. */
export async function removeObjects(
  options: S3ListOptions,
  keys: readonly string[],
): Promise<FailedRemoval[]> {
  const failures = keys.filter((key) => !isBlobKey(key)).map((key) => ({ key, error: invalidKey() }));
  const valid = keys.filter(isBlobKey);
  const parts = valid.filter((key) => parsePartKey(key) !== undefined);
  const whole = [...valid.filter((key) => parsePartKey(key) === undefined), ...tailsOf(valid)];
  for (let at = 0; at < whole.length; at += DELETE_BATCH)
    failures.push(...(await removeBatch(options, whole.slice(at, at + DELETE_BATCH))));
  for (const key of valid.filter(isResumableBlobKey))
    if (parsePartKey(key) === undefined) failures.push(...(await removeUnfinishedOf(options, key)));
  if (parts.length > 0) failures.push(...(await removeUnfinished(options, parts)));
  return failures.map(({ key, error }) => ({ key: parseTailKey(key) ?? key, error }));
}

/** Resumable uploads may have left a tail, whether they were completed or not. */
const tailsOf = (keys: readonly string[]) =>
  keys.filter(isResumableBlobKey).map((key) => tailKey(parsePartKey(key) ?? key));

async function removeUnfinishedOf(options: S3ListOptions, key: string): Promise<FailedRemoval[]> {
  try {
    for await (const unfinished of listUnfinished(options, key))
      if (unfinished.key === key) await abort(options, unfinished);
    return [];
  } catch (cause) {
    return allFailed([key], cause);
  }
}

const invalidKey = () => new BlobError('failed', 'Invalid blob key.');

/** Returns a failure with this cause for each of `keys`. */
const allFailed = (keys: readonly string[], cause: unknown): FailedRemoval[] =>
  keys.map((key) => ({ key, error: toS3BlobError(cause) }));

async function removeUnfinished(options: S3ListOptions, keys: readonly string[]): Promise<FailedRemoval[]> {
  const parts = new Set(keys.map(parsePartKey));
  try {
    for await (const unfinished of listUnfinished(options)) {
      if (parts.has(unfinished.key)) await abort(options, unfinished);
    }
    return [];
  } catch (cause) {
    return allFailed(keys, cause);
  }
}

async function removeBatch(options: S3ListOptions, keys: readonly string[]): Promise<FailedRemoval[]> {
  try {
    return await sendDelete(options, keys);
  } catch (cause) {
    return allFailed(keys, cause);
  }
}

async function sendDelete(
  { clients, bucket, base }: S3ListOptions,
  keys: readonly string[],
): Promise<FailedRemoval[]> {
  const [only] = keys;
  if (keys.length === 1) {
    await clients.requests.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${base}${only}` }));
    return [];
  }
  const Delete = { Quiet: true, Objects: keys.map((key) => ({ Key: base + key })) };
  // MD5 is the checksum that every store supports.
  const command = new DeleteObjectsCommand({ Bucket: bucket, Delete, ChecksumAlgorithm: 'MD5' });
  const { Errors = [] } = await clients.requests.send(command);
  const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
  // If the store does not name the object, it is unknown which objects were deleted.
  if (failed.some(({ Key }) => Key === undefined)) return allFailed(keys, toDeleteError(failed[0]));
  return failed.map((error) => ({ key: (error.Key ?? '').slice(base.length), error: toDeleteError(error) }));
}

const toDeleteError = (error: { readonly Code?: string | undefined } | undefined) =>
  new BlobError(
    'failed',
    `The blob store failed: S3 refused to delete an object (${error?.Code ?? 'unknown'}).`,
    error,
  );

async function abort({ clients, bucket }: S3ListOptions, { name, id }: Unfinished): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: name, UploadId: id });
  await clients.requests.send(command).catch(ignoreMissingUpload);
}

/** Aborts multipart uploads that have received no part since `before` (ms since 1970). Returns their number. */
export async function abortStaleUploads(options: S3ListOptions, before: number): Promise<number> {
  let removed = 0;
  for await (const unfinished of listUnfinished(options)) {
    if (!(await isStale(options, unfinished, before))) continue;
    await abort(options, unfinished);
    removed += 1;
  }
  return removed;
}

async function isStale(options: S3ListOptions, unfinished: Unfinished, before: number): Promise<boolean> {
  // The ledger decides how long a resumable upload may pause.
  if (unfinished.startedAt >= before || isResumableBlobKey(unfinished.key)) return false;
  const latest = await lastPartAt(options, unfinished).catch(ignoreMissingUpload);
  return latest !== undefined && latest < before;
}

/** Returns when the latest part arrived, or 0 if there is none. */
async function lastPartAt(options: S3ListOptions, unfinished: Unfinished): Promise<number> {
  const parts = await listParts(options, unfinished);
  return Math.max(0, ...parts.map(({ LastModified }) => LastModified?.getTime() ?? 0));
}

/** Another process may have ended the upload since it was listed. */
function ignoreMissingUpload(cause: unknown): void {
  if (parseSdkError(cause).code !== 'NoSuchUpload') throw cause;
}
