import { attemptBlobKey, directToken } from '../../base/blob-keys.ts';
import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { CompleteFile, QuarantineParams } from '../../ledger/contract/ledger.ts';
import { publicBlobKey } from '../blobs/publish.ts';
import { prepareSigned } from '../claim-signed.ts';
import { checkContent } from '../content/check-content.ts';
import { isUnknownOutcome, releaseClaim } from '../release-claim.ts';
import { checkUpload, storeAtOnce } from '../reserve.ts';
import type { UploadServices } from '../services.ts';
import { checkDeclaredBody, type SignedUpload, type UploadRequest } from '../upload-request.ts';
import { finishStored, isStoredBy, reportStored } from './commit.ts';

/*
 * A small body that has arrived whole. It is written under a key that no other attempt has, and then stored in one transaction. It
 * needs no claim: an attempt that loses costs one small file.
 *
 *   issued, or not reserved ── bytes durable ── storeSlot or storeNew ──> stored
 *                                                 │
 *                                                 ├─ not granted: the key is a pending delete; the PUT goes on with a claim
 *                                                 ├─ failed: the ledger decides whether the key is a pending delete
 *                                                 └─ unknown outcome: the file stays
 *
 * A file whose process is killed before the transaction, or whose outcome stays unknown, is found by the tag of the process
 * (../blobs/dead-writers.ts).
 */

/** Bytes. Larger bodies rarely come in one packet, and would cost more if they are written and then not stored. */
const MAX_SIZE = 64 * 1024;

/** An upload that may be stored, and the function that stores it. */
interface Prepared {
  /** Its blob key is the slot key. */
  readonly upload: Upload;
  readonly holds: QuarantineParams['holds'];
  /** Returns false if it needs a claim. */
  store(file: CompleteFile): Promise<boolean>;
}

/**
 * Stores the body of a request without a claim. Returns undefined if it needs one; then nothing is stored, and `body` yields the
 * bytes again. Throws a `Refusal`, or an internal error.
 */
export async function storeDirectly(
  services: UploadServices,
  request: UploadRequest,
): Promise<Upload | undefined> {
  const { body, size } = request;
  if (size === null || size > MAX_SIZE || !services.transfers.direct.isAllowed()) return undefined;
  const start = performance.now();
  const now = services.clock();
  const bytes = await body.takeWhole?.(MAX_SIZE);
  const prepared = bytes && (await prepare(services, request, now));
  if (!bytes || !prepared) return undefined;
  const transfer = services.transfers.begin(prepared.upload.id, body);
  try {
    const stored = await storeBytes(services, prepared, bytes, now);
    if (stored) reportStored(services, stored, start);
    return stored;
  } finally {
    transfer.end();
  }
}

async function prepare(
  services: UploadServices,
  { signed, ...request }: UploadRequest,
  now: number,
): Promise<Prepared | undefined> {
  if (signed) return await prepareNew(services, { ...request, signed }, now);
  return await prepareSlot(services, request, now);
}

async function prepareNew(
  services: UploadServices,
  request: UploadRequest & { readonly signed: SignedUpload },
  now: number,
): Promise<Prepared> {
  const { rule, limits, ...upload } = await prepareSigned(services, request, now);
  const { reusesLocator } = request.signed;
  const reservation = { upload, rule, limits, reusesLocator, now };
  await checkUpload(services, reservation);
  return {
    upload: { ...upload, state: 'issued', createdAt: now, storedAt: null },
    holds: 'nothing',
    store: (file) => storeAtOnce(services, reservation, file),
  };
}

/** Returns undefined if the slot cannot be used or the body does not fit it. The claim that follows finds the reason. */
async function prepareSlot(
  { ledger, rules, spaceReserve }: UploadServices,
  { by, size, type }: UploadRequest,
  now: number,
): Promise<Prepared | undefined> {
  const upload = 'putKey' in by ? await ledger.findByPutKey(by.putKey) : await ledger.find(by.locator);
  if (upload?.state !== 'issued' || upload.deadline <= now) return undefined;
  try {
    checkDeclaredBody(rules(), upload, { size, type });
    await spaceReserve.check(upload.size);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
  const { id } = upload;
  return {
    upload,
    holds: 'slot',
    store: (file) => ledger.storeSlot({ id, size: upload.size, now, ...file }),
  };
}

async function storeBytes(
  services: UploadServices,
  { upload, holds, store }: Prepared,
  bytes: readonly Uint8Array[],
  now: number,
): Promise<Upload | undefined> {
  const { blobs, instance } = services;
  const attempt = { ...upload, blob: attemptBlobKey(upload.blob, directToken(instance)) };
  const publicBlob = publicBlobKey(services, attempt);
  try {
    await blobs.put(attempt.blob, once(bytes), upload.size);
    const content = await checkContent(services, { upload: attempt, holds, read: () => each(bytes) });
    const file = {
      ...{ blob: attempt.blob, instance },
      ...(publicBlob !== undefined && { publicBlob }),
      ...(content && { content }),
    };
    const isStored = await store(file).catch(async (failure: unknown) => {
      if (failure instanceof Refusal) throw failure;
      if (await isStoredBy(services, attempt).catch(() => false)) return true;
      throw failure;
    });
    if (isStored) return await finishStored(services, attempt, now);
    services.blobDeleter.wake();
    return undefined;
  } catch (error) {
    await discard(services, attempt, error);
    throw error;
  }
}

async function* once(bytes: readonly Uint8Array[]): AsyncGenerator<readonly Uint8Array[]> {
  if (bytes.some(({ length }) => length > 0)) yield bytes;
}

async function* each(bytes: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bytes;
}

/** Makes the key a pending delete, unless it is stored. While the outcome is unknown, the transaction may still store it. */
async function discard(services: UploadServices, attempt: Upload, error: unknown): Promise<void> {
  if (!(error instanceof Refusal)) services.transfers.direct.fail();
  // No claim has an empty token.
  if (!isUnknownOutcome(error)) await releaseClaim(services, attempt, '');
}
