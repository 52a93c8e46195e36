import { Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Upload } from '../base/upload-records.ts';
import type { ClaimResult } from '../ledger/contract/ledger.ts';
import { isDownloadable } from '../policy/retention.ts';
import { claimSigned } from './claim-signed.ts';
import { isSameBody } from './compare-bytes.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';
import { checkDeclaredBody, exactSize, type UploadRequest } from './upload-request.ts';

/*
 * A PUT, from its claim to its answer:
 *
 *   issued ── claim ──> receiving ── body complete, durable, commit ──> stored
 *     ^                     │
 *     └── release ──────────┘  after any failure: first the bytes are removed, then the claim is released
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
/** Milliseconds between attempts to release a claim: doubled from the first up to the largest. */
const FIRST_RELEASE_RETRY_MS = 1000;
const MAX_RELEASE_RETRY_MS = 60_000;

/**
 * Stores the body of a request in its slot. Resolves once the file is durable and can be downloaded. Otherwise rejects
 * with a `Refusal` or an internal error and leaves no bytes behind. The slot can be used again until its deadline.
 */
export async function receiveUpload(
  services: UploadServices,
  request: UploadRequest,
): Promise<ReceiveResult> {
  let upload: Upload | undefined;
  try {
    const token = randomId();
    const claimed = await claim(services, request, token);
    if (claimed.outcome !== 'unknown') upload = claimed.upload;
    return await storeClaimed(services, claimed, token, request);
  } catch (error) {
    const refusal = toStorageRefusal(error);
    if (refusal instanceof Refusal) reportRefusal(services, refusal, upload, request);
    else services.metrics.requestRefused(upload?.endpoint ?? request.endpoint, 'internal');
    throw refusal;
  }
}

async function storeClaimed(
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
      throw new Refusal((await isRemoved(services, request.by)) ? 'removed' : 'slot_unknown');
  }
}

function reportRefusal(
  { metrics, log }: Pick<UploadServices, 'metrics' | 'log'>,
  { code, message }: Refusal,
  upload: Upload | undefined,
  { endpoint, body }: UploadRequest,
): void {
  metrics.requestRefused(upload?.endpoint ?? endpoint, code);
  if (upload === undefined) return;
  const { id, owner } = upload;
  log.info(
    { id, owner, endpoint: upload.endpoint, code, received: body.received },
    `upload refused: ${message}`,
  );
}

/** Claims the slot. If a stalled or ending transfer of this process holds it, waits for its end and tries again. */
async function claim(services: UploadServices, request: UploadRequest, token: string): Promise<ClaimResult> {
  for (let attempt = 1; ; attempt += 1) {
    const claimed = await claimOnce(services, request, token);
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

/** Stores the body in an upload that is claimed with `token`. After a failure, removes the bytes, then the claim. */
async function storeBody(
  services: UploadServices,
  upload: Upload,
  token: string,
  request: UploadRequest,
): Promise<Upload> {
  const start = performance.now();
  const { id, owner, endpoint } = upload;
  const { body } = request;
  const transfer = services.transfers.begin(id, body);
  try {
    const size = await writeBlob(services, upload, request);
    const stored = await commit(services, upload, token, size);
    services.metrics.uploadStored(endpoint, size, performance.now() - start);
    services.log.info(
      { id, owner, endpoint, size, ms: Math.round(performance.now() - start) },
      'upload stored',
    );
    return stored;
  } catch (error) {
    body.abort(error as Error);
    await releaseClaim(services, upload, token);
    throw error;
  } finally {
    transfer.end();
  }
}

/** A failed `put` leaves no bytes behind. */
function writeBlob(
  { rules, transfers, blobs }: Pick<UploadServices, 'rules' | 'transfers' | 'blobs'>,
  upload: Upload,
  request: UploadRequest,
): Promise<number> {
  checkDeclaredBody(rules(), upload, request);
  request.body.accept();
  const batches = request.body.batches(transfers.memory, exactSize(upload));
  return blobs.put(upload.blob, batches, upload.size);
}

/**
 * Makes the file downloadable. If the ledger fails during the commit, asks it for the outcome. If that fails too, keeps
 * the bytes, because the commit may have succeeded; `porter fsck` finds them otherwise.
 */
async function commit(
  { ledger, blobs, clock }: Pick<UploadServices, 'ledger' | 'blobs' | 'clock'>,
  upload: Upload,
  token: string,
  size: number,
): Promise<Upload> {
  const now = clock();
  const stored: Upload = { ...upload, state: 'stored', size, storedAt: now };
  let failure: unknown;
  const committed = await ledger.commit({ id: upload.id, token, now, size }).catch((error) => {
    failure = error;
    return false;
  });
  if (committed) return stored;
  const row = await ledger.find(upload.locator);
  if (failure !== undefined && row?.id === upload.id && row.state === 'stored') return row;
  if (row?.id !== upload.id || failure !== undefined) await blobs.remove([upload.blob]);
  if (failure !== undefined) throw failure;
  throw new Refusal(row ? 'being_uploaded' : 'slot_unknown');
}

/**
 * Releases a claim so that the slot can be used again. While the ledger is unreachable, keeps trying in the background:
 * claims of a running process never time out.
 */
async function releaseClaim(
  services: Pick<UploadServices, 'ledger' | 'clock' | 'log'>,
  { id }: Upload,
  token: string,
): Promise<void> {
  const { ledger, clock, log } = services;
  try {
    await ledger.release({ id, token, now: clock() });
  } catch (err) {
    log.error({ err, id }, 'cannot release the claim of an upload; trying again in the background');
    releaseLater(services, id, token, FIRST_RELEASE_RETRY_MS);
  }
}

function releaseLater(
  services: Pick<UploadServices, 'ledger' | 'clock'>,
  id: string,
  token: string,
  delayMs: number,
): void {
  const release = () => {
    services.ledger.release({ id, token, now: services.clock() }).catch(() => {
      releaseLater(services, id, token, Math.min(delayMs * 2, MAX_RELEASE_RETRY_MS));
    });
  };
  setTimeout(release, delayMs).unref();
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
  if (!(await isSameBody(services, upload, request.body))) throw new Refusal('already_there');
  return { upload, repeated: true };
}

function repeatableUntil({ storedAt, deadline }: Upload, { signed }: UploadRequest): number {
  const repeatForMs = signed?.repeatForMs ?? null;
  return repeatForMs === null || storedAt === null ? deadline : storedAt + repeatForMs;
}

async function isRemoved(
  { ledger }: Pick<UploadServices, 'ledger'>,
  by: UploadRequest['by'],
): Promise<boolean> {
  return 'locator' in by && (await ledger.findRemoval(by.locator)) !== undefined;
}
