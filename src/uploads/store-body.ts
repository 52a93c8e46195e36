import { Refusal } from '../base/errors.ts';
import type { Upload } from '../base/upload-records.ts';
import { isTypeMismatch } from '../policy/media-type.ts';
import { releaseClaim } from './release-claim.ts';
import type { UploadServices } from './services.ts';
import type { SizeCheck, UploadRequest } from './upload-request.ts';

/** Does what the sender says fit the slot? `Refusal` where not, before a byte of the body is asked for. */
export function checkDeclaredBody(
  deps: UploadServices,
  upload: Pick<Upload, 'size' | 'type'>,
  arrival: Pick<UploadRequest, 'size' | 'type'>,
): void {
  if (arrival.size !== null && arrival.size !== upload.size) throw sizeMismatch(upload, arrival.size);
  if (deps.rules().typeMismatch === 'refuse' && isTypeMismatch(arrival.type, upload.type)) {
    throw new Refusal('type_mismatch', {
      text: `The Content-Type is ${arrival.type}; the slot was asked for ${upload.type}.`,
    });
  }
}

function sizeMismatch(upload: Pick<Upload, 'size'>, size: number | string): Refusal {
  return new Refusal('size_mismatch', {
    text: `The body has ${size} bytes; the slot was asked for ${upload.size}.`,
  });
}

/**
 * Fills an upload whose claim `token` we hold. When it resolves, the upload is stored; after every failure the
 * bytes are gone first and then the claim.
 */
export async function storeBody(
  deps: UploadServices,
  upload: Upload,
  token: string,
  arrival: UploadRequest,
): Promise<Upload> {
  const start = performance.now();
  const { body } = arrival;
  const transfer = deps.transfers.begin(upload.id, body);
  try {
    const size = await takeBytes(deps, upload, arrival);
    const stored = await commit(deps, upload, token, size);
    deps.metrics.uploadStored(upload.endpoint, size, performance.now() - start);
    const { id, owner, endpoint } = upload;
    deps.log.info(
      { id, owner, endpoint: endpoint, size, ms: Math.round(performance.now() - start) },
      'upload stored',
    );
    return stored;
  } catch (failure) {
    body.abort(failure as Error);
    await releaseClaim(deps, upload, token);
    throw failure;
  } finally {
    transfer.end();
  }
}

/** Checks, then bytes. A failed `put` leaves nothing behind. */
function takeBytes(deps: UploadServices, upload: Upload, arrival: UploadRequest): Promise<number> {
  checkDeclaredBody(deps, upload, arrival);
  arrival.body.accept();
  const batches = arrival.body.batches(deps.transfers.memory, exactSize(upload));
  return deps.blobs.put(upload.blob, batches, upload.size);
}

/** Exactly as many bytes as the slot has: one more ends it at once, one fewer at the end. */
export function exactSize(upload: Upload): SizeCheck {
  return (received, ended) => {
    if (received > upload.size) return sizeMismatch(upload, `more than ${upload.size}`);
    return ended && received < upload.size ? sizeMismatch(upload, received) : undefined;
  };
}

/**
 * The moment from which the file can be fetched. Where the ledger fails in the middle of it, it is asked what it
 * has done; where it cannot say, bytes that may be somebody's file are left alone (fsck finds them).
 */
async function commit(deps: UploadServices, upload: Upload, token: string, size: number): Promise<Upload> {
  const now = deps.clock();
  const stored: Upload = { ...upload, state: 'stored', size, storedAt: now };
  let fault: unknown;
  const done = await deps.ledger.commit({ id: upload.id, token, now, size }).catch((failure) => {
    fault = failure;
    return false;
  });
  if (done) return stored;
  const row = await deps.ledger.find(upload.locator);
  if (fault !== undefined && row?.id === upload.id && row.state === 'stored') return row;
  if (row?.id !== upload.id || fault !== undefined) await deps.blobs.remove([upload.blob]);
  if (fault !== undefined) throw fault;
  throw new Refusal(row ? 'being_uploaded' : 'slot_unknown');
}
