import { sleep } from '../../../base/async.ts';
import { type ErrorCode, Refusal } from '../../../base/errors.ts';
import { randomId, sha256Hex } from '../../../base/ids.ts';
import type { Upload } from '../../../base/upload-records.ts';
import type { ResumeResult, UploadResource } from '../../../ledger/contract/ledger.ts';
import { reportFailedPut } from '../../refusals/refused-put.ts';
import { releaseClaim } from '../../release-claim.ts';
import type { UploadServices } from '../../services.ts';
import { type AppendRequest, appendBytes, type ClaimedResource, resourceGone } from './append-bytes.ts';
import { takenOver } from './claim-lease.ts';

/** How long a request waits for the one before it, which another process may have to end. */
const WAIT_MS = 5000;
const POLL_MS = 100;

export interface ResourceState {
  readonly upload: Upload;
  /** Durable bytes. */
  readonly received: number;
  readonly isComplete: boolean;
}

export interface ResourceAppend extends AppendRequest {
  /** `Upload-Offset`. */
  readonly offset: number;
  /** `Upload-Length`, or the length that follows from `Content-Length`; null if neither is there. */
  readonly length: number | null;
}

/** Thrown if the bytes of a request are not the next bytes of the upload. */
export class OffsetMismatch extends Refusal {
  readonly expected: number;
  readonly provided: number;

  constructor(expected: number, provided: number) {
    super('offset_mismatch', {
      text: `The next byte of this upload is ${expected}, not ${provided}.`,
    });
    this.expected = expected;
    this.provided = provided;
  }
}

const INTERRUPTIONS: readonly ErrorCode[] = ['body_cut', 'body_idle', 'body_slow', 'being_uploaded'];

/** Returns whether the client can continue the upload later, so that the upload itself was not refused. */
export const isInterruption = ({ code }: Refusal): boolean => INTERRUPTIONS.includes(code);

/**
 * Returns the state of an upload, after ending the request that writes to it. Throws `not_found` if there is no such upload, or
 * its bytes are gone.
 */
export async function readResource(services: UploadServices, secret: string): Promise<ResourceState> {
  const resourceKey = sha256Hex(secret);
  const resource = await waitForPause(services, resourceKey);
  if (resource.upload.state === 'stored') return { ...resource, isComplete: true };
  const { upload, received } = resource;
  if (!(await services.blobs.canAppend(upload.blob, { offset: received, size: upload.size }))) {
    await cancelResource(services, secret);
    throw resourceGone();
  }
  return { ...resource, isComplete: false };
}

/** Ends the request that writes to a resource, if there is one. Returns the state afterwards. */
async function waitForPause(services: UploadServices, resourceKey: string): Promise<UploadResource> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const resource = await services.ledger.findResource(resourceKey);
    if (!resource || resource.upload.deadline <= services.clock()) throw resourceGone();
    if (resource.upload.state !== 'receiving') return resource;
    await endWriter(services, resource.upload.id, resourceKey);
    if (performance.now() > end) return resource;
  }
}

/** Ends the request of this process at once. One of another process notices it within a second. */
async function endWriter(
  { transfers, ledger }: UploadServices,
  id: string,
  resourceKey: string,
): Promise<void> {
  const running = transfers.get(id);
  if (running) {
    running.body.abort(takenOver());
    await running.ended;
    return;
  }
  await ledger.requestStop(resourceKey);
  await sleep(POLL_MS);
}

/** Claims a resource for one request, after ending the request before it. Throws a `Refusal` if that does not end. */
async function claimResource(
  services: UploadServices,
  resourceKey: string,
): Promise<{ readonly resumed: ResumeResult; readonly token: string }> {
  const { ledger, instance, clock } = services;
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const token = randomId();
    const resumed = await ledger.resume({ resourceKey, token, instance, now: clock() });
    if (resumed.outcome !== 'receiving') return { resumed, token };
    if (performance.now() > end) throw new Refusal('being_uploaded');
    await endWriter(services, resumed.upload.id, resourceKey);
  }
}

/**
 * Appends the body of a request to an upload. Resolves with the stored upload, or with undefined if more bytes have to come. A
 * repeated last request, whose answer may have been lost, resolves with the stored upload too. Throws a `Refusal`.
 */
export async function appendToResource(
  services: UploadServices,
  secret: string,
  request: ResourceAppend,
): Promise<Upload | undefined> {
  let upload: Upload | undefined;
  try {
    const { resumed, token } = await claimResource(services, sha256Hex(secret));
    if (resumed.outcome === 'unknown') throw resourceGone();
    upload = resumed.upload;
    if (resumed.outcome === 'stored') return repeatedAnswer(resumed, request);
    return await appendAt(services, { ...resumed, token }, request);
  } catch (error) {
    const put = { endpoint: upload?.endpoint ?? 'slot_api', body: request.body } as const;
    const goesOn = (refusal: Refusal) => isInterruption(refusal) || refusal instanceof OffsetMismatch;
    throw reportFailedPut(services, error, put, upload, goesOn);
  }
}

async function appendAt(
  services: UploadServices,
  claimed: ClaimedResource,
  request: ResourceAppend,
): Promise<Upload | undefined> {
  const { upload, received, token } = claimed;
  request.progress.received = received;
  const refusal = checkAppend(claimed, request);
  if (!refusal) return await appendBytes(services, claimed, request);
  await services.ledger.pause({ id: upload.id, token, received, deadline: upload.deadline });
  throw refusal;
}

function checkAppend(
  { upload: { size }, received }: UploadResource,
  { offset, length }: ResourceAppend,
): Refusal | undefined {
  if (offset !== received) return new OffsetMismatch(received, offset);
  if (length === null || length === size) return undefined;
  return new Refusal('length_inconsistent', {
    text: `The request gives the file ${length} bytes; the slot was requested for ${size}.`,
  });
}

/** The answer to the last request may have been lost. */
function repeatedAnswer({ upload, received }: UploadResource, request: ResourceAppend): Upload {
  const { offset, length, complete, progress } = request;
  progress.received = received;
  if (offset !== received) throw new OffsetMismatch(received, offset);
  if (complete && length === received) return upload;
  throw new Refusal('length_inconsistent', { text: 'This upload is complete. No bytes can be added to it.' });
}

/** Ends an upload and deletes its bytes. Its slot can be used again. Throws `not_found`, or `already_there` if it is stored. */
export async function cancelResource(services: UploadServices, secret: string): Promise<void> {
  const { resumed, token } = await claimResource(services, sha256Hex(secret));
  if (resumed.outcome === 'unknown') throw resourceGone();
  if (resumed.outcome === 'stored')
    throw new Refusal('already_there', { text: 'This upload is complete. It cannot be cancelled any more.' });
  await releaseClaim(services, resumed.upload, token);
}
