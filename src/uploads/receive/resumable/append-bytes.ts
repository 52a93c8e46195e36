import { Refusal } from '../../../base/errors.ts';
import type { Upload } from '../../../base/upload-records.ts';
import { BlobError } from '../../../blobs/contract.ts';
import { whileThereIsRoom } from '../../receive.ts';
import { pauseClaim, releaseClaim } from '../../release-claim.ts';
import type { UploadServices } from '../../services.ts';
import { type SizeCheck, sizeMismatch, type UploadBody } from '../../upload-request.ts';
import { commit, reportStored } from '../commit.ts';
import { type ClaimLease, openClaimLease } from './claim-lease.ts';

/*
 * One request of a resumable upload, which holds the claim:
 *
 *   claimed ── bytes durable ──┬── last request, all bytes ── commit ──> stored
 *                              ├── other request, or connection lost ──> paused: the bytes stay
 *                              └── too many bytes, or earlier bytes are missing ──> released: the resource is gone
 */

/** Minimum time for which an unfinished upload is kept after its last byte. A phone may be offline for longer than a slot is valid. */
const KEEP_MS = 3_600_000;

/** A resumable upload that this process has claimed with `token`. */
export interface ClaimedResource {
  /** Its blob key is that of the resource. */
  readonly upload: Upload;
  readonly token: string;
  /** Durable bytes. */
  readonly received: number;
}

/** Updated while a request runs, so that the answer to a failed request can contain it. */
export interface AppendProgress {
  /** Bytes that are durable; undefined before the resource exists, and after it is gone. */
  received: number | undefined;
  /** True if all bytes have arrived and the file was refused: the upload has ended. */
  isComplete: boolean;
}

export interface AppendRequest {
  readonly body: UploadBody;
  /** True if the body ends the file. */
  readonly complete: boolean;
  readonly progress: AppendProgress;
  /** Called with the number of durable bytes while more arrive. */
  readonly onDurable?: (received: number) => void;
}

/** Returns the time until which an upload is kept if its last byte arrives now, ms since 1970. */
export const keptUntil = ({ clock, rules }: Pick<UploadServices, 'clock' | 'rules'>): number =>
  clock() + Math.max(rules().slotTimeout, KEEP_MS);

/**
 * Appends the body. Resolves with the stored upload, or with undefined if more bytes have to come. Otherwise rejects with a
 * `Refusal` or an internal error; the bytes that have arrived are kept, unless the resource is gone.
 */
export async function appendBytes(
  services: UploadServices,
  claimed: ClaimedResource,
  request: AppendRequest,
): Promise<Upload | undefined> {
  const start = performance.now();
  const { upload, token } = claimed;
  const { body, progress, complete } = request;
  progress.received = claimed.received;
  const transfer = services.transfers.begin(upload.id, body);
  const lease = openClaimLease(services, { id: upload.id, token }, body);
  try {
    await writeBody(services, claimed, request, lease);
    if (!complete) {
      await pause(services, claimed, progress);
      return undefined;
    }
    progress.isComplete = true;
    const stored = await commit(services, upload, token, { size: upload.size });
    reportStored(services, stored, start);
    return stored;
  } catch (error) {
    body.abort(error as Error);
    await keepOrRelease(services, claimed, progress, error);
    throw toGone(error);
  } finally {
    lease.end();
    transfer.end();
  }
}

/** Resolves once the body, and with `complete` the whole file, is durable. Rejects with the error of the body. */
async function writeBody(
  services: UploadServices,
  { upload, received }: ClaimedResource,
  { body, complete, progress, onDurable: report }: AppendRequest,
  lease: ClaimLease,
): Promise<void> {
  const { blobs, transfers, spaceReserve } = services;
  const { blob, size } = upload;
  await spaceReserve.check(size - received);
  body.accept();
  const batches = body.batches(transfers.memory, restOf(upload, received));
  const result = await blobs.append(blob, lease.guard(whileThereIsRoom(spaceReserve, batches)), {
    offset: received,
    size,
    complete,
    async onDurable(offset) {
      await lease.record(offset, keptUntil(services));
      progress.received = offset;
      report?.(offset);
    },
  });
  progress.received = result.offset;
  if (result.failure !== undefined) throw result.failure;
  if (complete && result.offset < size) throw tooShort(upload, result.offset);
}

/** A body with more bytes than the file has makes the upload invalid, as the protocol requires (docs/resumable-uploads.md). */
class TooManyBytes extends Refusal {}

function restOf(upload: Upload, offset: number): SizeCheck {
  return (received) => {
    if (offset + received <= upload.size) return undefined;
    return new TooManyBytes('size_mismatch', {
      text: sizeMismatch(upload, `more than ${upload.size}`).message,
    });
  };
}

const tooShort = ({ size }: Upload, received: number) =>
  new Refusal('length_inconsistent', {
    text: `The upload was declared complete after ${received} bytes; the slot was requested for ${size}.`,
  });

async function keepOrRelease(
  services: UploadServices,
  claimed: ClaimedResource,
  progress: AppendProgress,
  error: unknown,
): Promise<void> {
  if (error instanceof TooManyBytes || isMissing(error)) {
    progress.received = undefined;
    await releaseClaim(services, claimed.upload, claimed.token);
  } else if (progress.isComplete && error instanceof Refusal && error.code !== 'scanner_unavailable') {
    // The file was refused. Sending it again does not help.
    await releaseClaim(services, claimed.upload, claimed.token);
  } else {
    // The client may end the upload again, without bytes.
    progress.isComplete = false;
    await pause(services, claimed, progress);
  }
}

const isMissing = (error: unknown) => error instanceof BlobError && error.kind === 'missing';

const toGone = (error: unknown) => (isMissing(error) ? resourceGone(error) : error);

/** Returns the refusal after which a client has to start again. */
export const resourceGone = (cause?: unknown) =>
  new Refusal('not_found', {
    text: 'This upload does not exist any more. Send the whole file to its upload link again.',
    cause,
  });

async function pause(
  services: UploadServices,
  { upload, token, received }: ClaimedResource,
  progress: AppendProgress,
): Promise<void> {
  await pauseClaim(services, {
    id: upload.id,
    token,
    received: progress.received ?? received,
    deadline: keptUntil(services),
  });
}
