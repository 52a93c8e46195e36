import { Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Upload } from '../base/upload-records.ts';
import type { ClaimResult } from '../ledger/contract/ledger.ts';
import { isDownloadable } from '../policy/retention.ts';
import { claimSigned } from './claim-signed.ts';
import { isSameBody } from './compare-bytes.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';
import { checkDeclaredBody, storeBody } from './store-body.ts';
import type { UploadRequest } from './upload-request.ts';

export interface ReceiveResult {
  readonly upload: Upload;
  /** Were these bytes here before? */
  readonly repeated: boolean;
}

/** A phone that changed networks leaves a connection that says nothing any more. */
const TAKEOVER_AFTER = 3000;
const ATTEMPTS = 3;

/**
 * Takes the bytes of a slot: resolves when they are stored, durable and can be fetched, else rejects
 * (`Refusal`, or a fault of ours) with nothing left of them; the slot can then be tried again in its time.
 */
export async function receiveUpload(deps: UploadServices, arrival: UploadRequest): Promise<ReceiveResult> {
  let upload: Upload | undefined;
  try {
    const token = randomId();
    const claimed = await claim(deps, arrival, token);
    if (claimed.outcome !== 'unknown') upload = claimed.upload;
    return await settle(deps, claimed, token, arrival);
  } catch (failure) {
    const refusal = toStorageRefusal(failure);
    if (refusal instanceof Refusal) noteRefusal(deps, refusal, upload, arrival);
    else deps.metrics.requestRefused(upload?.endpoint ?? arrival.endpoint, 'internal');
    throw refusal;
  }
}

async function settle(
  deps: UploadServices,
  claimed: ClaimResult,
  token: string,
  arrival: UploadRequest,
): Promise<ReceiveResult> {
  switch (claimed.outcome) {
    case 'claimed':
      return { upload: await storeBody(deps, claimed.upload, token, arrival), repeated: false };
    case 'stored':
      return repeat(deps, claimed.upload, arrival);
    case 'receiving':
      throw new Refusal('being_uploaded');
    case 'unknown':
      throw new Refusal((await isRemoved(deps, arrival.by)) ? 'removed' : 'slot_unknown');
  }
}

function noteRefusal(
  deps: UploadServices,
  { code, message }: Refusal,
  upload: Upload | undefined,
  { endpoint, body }: UploadRequest,
): void {
  deps.metrics.requestRefused(upload?.endpoint ?? endpoint, code);
  if (upload === undefined) return;
  const { id, owner } = upload;
  deps.log.info(
    { id, owner, endpoint: upload.endpoint, code, received: body.received },
    `upload refused: ${message}`,
  );
}

/** Where another attempt of this process stands in the way and has fallen silent or is just ending, waits for that. */
async function claim(deps: UploadServices, arrival: UploadRequest, token: string): Promise<ClaimResult> {
  for (let attempt = 1; ; attempt += 1) {
    const claimed = await claimOnce(deps, arrival, token);
    if (claimed.outcome !== 'receiving' || attempt === ATTEMPTS) return claimed;
    if (!(await outlived(deps, claimed.upload.id))) return claimed;
  }
}

function claimOnce(
  deps: UploadServices,
  { signed, ...arrival }: UploadRequest,
  token: string,
): Promise<ClaimResult> {
  if (signed) return claimSigned(deps, { ...arrival, signed }, token);
  return deps.ledger.claim({ by: arrival.by, token, instance: deps.instance, now: deps.clock() });
}

/** Is the attempt that held this upload over? An attempt that is alive is left alone. */
async function outlived(deps: UploadServices, id: string): Promise<boolean> {
  const older = deps.transfers.get(id);
  if (!older) return false;
  const { takeoverAfterMs = TAKEOVER_AFTER } = deps;
  if (!older.body.isComplete) {
    if (older.body.idleFor() < takeoverAfterMs) return false;
    older.body.abort(new Refusal('being_uploaded', { text: 'A newer attempt has taken over this upload.' }));
  }
  await older.ended;
  return true;
}

/** The answer to the first attempt may have got lost: the same bytes again are fine for a while. */
async function repeat(deps: UploadServices, upload: Upload, arrival: UploadRequest): Promise<ReceiveResult> {
  const now = deps.clock();
  if (!isDownloadable(deps.rules().retention, upload, now)) throw new Refusal('removed');
  if (now >= repeatEnd(upload, arrival)) throw new Refusal('already_there');
  if (arrival.size !== null && arrival.size !== upload.size) throw new Refusal('already_there');
  checkDeclaredBody(deps, upload, arrival);
  arrival.body.accept();
  if (!(await isSameBody(deps, upload, arrival.body))) throw new Refusal('already_there');
  return { upload, repeated: true };
}

function repeatEnd({ storedAt, deadline }: Upload, { signed }: UploadRequest): number {
  const repeatFor = signed?.repeatForMs ?? null;
  return repeatFor === null || storedAt === null ? deadline : storedAt + repeatFor;
}

async function isRemoved({ ledger }: UploadServices, by: UploadRequest['by']): Promise<boolean> {
  return 'locator' in by && (await ledger.findRemoval(by.locator)) !== undefined;
}
