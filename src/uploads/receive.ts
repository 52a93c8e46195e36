import { createHash } from 'node:crypto';
import { Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Upload } from '../base/upload-records.ts';
import { BlobError } from '../blobs/contract.ts';
import type { ClaimResult } from '../ledger/contract/ledger.ts';
import { isDownloadable } from '../policy/retention.ts';
import { publishPendingBlobs } from './blobs/publish.ts';
import { claimSigned } from './claim-signed.ts';
import { isSameBody } from './compare-bytes.ts';
import { hashing } from './content/check-content.ts';
import type { SpaceReserve } from './disk/space-reserve.ts';
import { commit, reportStored } from './receive/commit.ts';
import { storeDirectly } from './receive/store-directly.ts';
import { reportFailedPut } from './refusals/refused-put.ts';
import { isUnknownOutcome, releaseClaim, releaseUnknownClaim } from './release-claim.ts';
import type { UploadServices } from './services.ts';
import { checkDeclaredBody, exactSize, type UploadRequest } from './upload-request.ts';

/*
 * A PUT, from its claim to its answer:
 *
 *   issued ── claim ──> receiving ── body complete, durable, commit ──> stored
 *     ^                     │
 *     └── release ──────────┘  after any failure: the blob key of this attempt becomes a pending delete
 *
 * A small body that has arrived whole takes a shorter way first: see receive/store-directly.ts.
 *
 * Each attempt writes under its own blob key, so a late or failed attempt cannot touch the bytes of another one.
 *
 * A slot that is `receiving` gives 409, unless its holder is a stalled transfer of this process, which is replaced.
 * A slot that is `stored` accepts the same bytes again for a while, because the first answer may have been lost.
 */

export interface ReceiveResult {
  readonly upload: Upload;
  /** True if the same bytes were already stored. */
  readonly repeated: boolean;
}

/** Milliseconds. A phone that changes networks leaves a silent connection behind. */
const TAKEOVER_AFTER_MS = 3000;
const MAX_CLAIM_ATTEMPTS = 3;

/**
 * Stores the body of a request in its slot. Resolves once the file is durable and can be downloaded. Otherwise rejects
 * with a `Refusal` or an internal error; written bytes are deleted in the background. The slot can be used again until its
 * deadline.
 */
export async function receiveUpload(
  services: UploadServices,
  request: UploadRequest,
): Promise<ReceiveResult> {
  let upload: Upload | undefined;
  try {
    const direct = await storeDirectly(services, request);
    if (direct) return { upload: direct, repeated: false };
    const token = randomId();
    const claimed = await claim(services, request, token);
    if (claimed.outcome !== 'unknown') upload = claimed.upload;
    return await storeClaimed(services, claimed, token, request);
  } catch (error) {
    throw reportFailedPut(services, error, request, upload);
  }
}

/** Answers a PUT after `claim`: stores the body, compares it with a stored file, or throws a `Refusal`. */
export async function storeClaimed(
  services: UploadServices,
  claimed: ClaimResult,
  token: string,
  request: UploadRequest,
): Promise<ReceiveResult> {
  switch (claimed.outcome) {
    case 'claimed':
      return { upload: await storeBody(services, claimed.upload, token, request), repeated: false };
    case 'stored':
      return acceptRepeated(services, claimed.upload, request);
    case 'receiving':
      throw new Refusal('being_uploaded');
    case 'unknown':
      throw await refusalOfUnknown(services, request.by);
  }
}

/** Claims the slot. If a stalled or ending transfer of this process holds it, waits for its end and tries again. */
export async function claim(
  services: UploadServices,
  request: UploadRequest,
  token: string,
): Promise<ClaimResult> {
  for (let attempt = 1; ; attempt += 1) {
    const claimed = await claimOnce(services, request, token).catch(async (error: unknown) => {
      if (isUnknownOutcome(error)) await releaseUnknownClaim(services, { by: request.by, token });
      throw error;
    });
    if (claimed.outcome !== 'receiving' || attempt === MAX_CLAIM_ATTEMPTS) return claimed;
    if (!(await endStalledTransfer(services, claimed.upload.id))) return claimed;
  }
}

function claimOnce(
  services: UploadServices,
  { signed, ...request }: UploadRequest,
  token: string,
): Promise<ClaimResult> {
  if (signed) return claimSigned(services, { ...request, signed }, token);
  const { ledger, instance, clock } = services;
  return ledger.claim({ by: request.by, token, instance, now: clock() });
}

/** Returns true once the transfer that held this upload has ended. Leaves an active transfer alone. */
async function endStalledTransfer(
  { transfers, takeoverAfterMs = TAKEOVER_AFTER_MS }: UploadServices,
  id: string,
): Promise<boolean> {
  const older = transfers.get(id);
  if (!older) return false;
  if (!older.body.isComplete) {
    if (older.body.idleFor() < takeoverAfterMs) return false;
    older.body.abort(new Refusal('being_uploaded', { text: 'A newer attempt has taken over this upload.' }));
  }
  await older.ended;
  return true;
}

/** Stores the body in an upload that is claimed with `token`. After a failure, releases the claim and removes the bytes. */
async function storeBody(
  services: UploadServices,
  upload: Upload,
  token: string,
  request: UploadRequest,
): Promise<Upload> {
  const start = performance.now();
  const { body } = request;
  const transfer = services.transfers.begin(upload.id, body);
  try {
    const written = await writeBlob(services, upload, request);
    const stored = await commit(services, upload, token, written);
    reportStored(services, stored, start);
    return stored;
  } catch (error) {
    body.abort(error as Error);
    await releaseClaim(services, upload, token);
    throw error;
  } finally {
    transfer.end();
  }
}

/** Returns the size and, if it is needed, the hash of the file. A failed `put` leaves no bytes behind. */
async function writeBlob(
  {
    rules,
    transfers,
    blobs,
    spaceReserve,
    content,
  }: Pick<UploadServices, 'rules' | 'transfers' | 'blobs' | 'spaceReserve' | 'content'>,
  upload: Upload,
  request: UploadRequest,
): Promise<{ readonly size: number; readonly sha256?: string }> {
  checkDeclaredBody(rules(), upload, request);
  if (request.file !== undefined && (await linkFile(blobs, upload, request.file)))
    return { size: upload.size };
  await spaceReserve.check(upload.size);
  request.body.accept();
  const hash = (await content.needsHash()) ? createHash('sha256') : undefined;
  const batches = whileThereIsRoom(spaceReserve, request.body.batches(transfers.memory, exactSize(upload)));
  const size = await blobs.put(upload.blob, hash ? hashing(hash, batches) : batches, upload.size);
  return { size, ...(hash && { sha256: hash.digest('hex') }) };
}

/** Returns false if the bytes must be copied from the body. */
async function linkFile(
  blobs: Pick<UploadServices['blobs'], 'linkFile'>,
  { blob, size }: Upload,
  file: string,
): Promise<boolean> {
  const linked = await blobs.linkFile?.(blob, file).catch((error: unknown) => {
    // The file has lost its name, but the body still has its bytes.
    if (error instanceof BlobError && error.kind === 'missing') return undefined;
    throw error;
  });
  return linked === size;
}

/** Passes batches on until a disk has less than the reserve: transfers that began together may use it up together. */
export async function* whileThereIsRoom(
  spaceReserve: SpaceReserve,
  batches: AsyncIterable<readonly Uint8Array[]>,
): AsyncGenerator<readonly Uint8Array[], void> {
  let isFirst = true;
  for await (const batch of batches) {
    // The room for the first batch was checked just before.
    if (!isFirst) spaceReserve.checkWhileWriting();
    isFirst = false;
    yield batch;
  }
}

async function acceptRepeated(
  services: UploadServices,
  upload: Upload,
  request: UploadRequest,
): Promise<ReceiveResult> {
  const now = services.clock();
  const rules = services.rules();
  if (!isDownloadable(rules.retention, upload, now)) throw new Refusal('removed');
  if (now >= repeatableUntil(upload, request)) throw new Refusal('already_there');
  if (request.size !== null && request.size !== upload.size) throw new Refusal('already_there');
  checkDeclaredBody(rules, upload, request);
  request.body.accept();
  await publishPendingBlobs(services);
  if (!(await isSameBody(services, upload, request.body))) throw new Refusal('already_there');
  return { upload, repeated: true };
}

function repeatableUntil({ storedAt, deadline }: Upload, { signed }: UploadRequest): number {
  const repeatForMs = signed?.repeatForMs ?? null;
  return repeatForMs === null || storedAt === null ? deadline : storedAt + repeatForMs;
}

/** Returns the refusal of a PUT for which there is no slot. */
async function refusalOfUnknown(
  { ledger }: Pick<UploadServices, 'ledger'>,
  by: UploadRequest['by'],
): Promise<Refusal> {
  if (await ledger.findQuarantined(by)) return new Refusal('infected');
  const isRemoved = 'locator' in by && (await ledger.findRemoval(by.locator)) !== undefined;
  return new Refusal(isRemoved ? 'removed' : 'slot_unknown');
}
