import { Refusal } from '../../base/errors.ts';
import { ANONYMOUS_OWNER, ownerFromSha1 } from '../../base/owners.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { UploadServices } from '../services.ts';
import { toStorageRefusal } from '../storage-refusal.ts';
import type { Uploader, UploadRequest } from '../upload-request.ts';
import type { RefusedRequest } from './refusal-log.ts';

/** A refused PUT, as far as it was read. `by`: undefined if its path names no slot. */
export type RefusedPut = Pick<UploadRequest, 'endpoint'> &
  Partial<Pick<UploadRequest, 'size' | 'signed' | 'body' | 'isProbe'>> & {
    readonly by?: UploadRequest['by'] | undefined;
  };

type ReportServices = Pick<UploadServices, 'ledger' | 'metrics' | 'refusals'>;

/**
 * Reports an error that ended a PUT, and returns the error to throw. `isExpected`: returns true for refusals that are not reported,
 * because the client can continue the upload.
 */
export function reportFailedPut(
  services: ReportServices,
  error: unknown,
  request: RefusedPut,
  upload: Upload | undefined,
  isExpected: (refusal: Refusal) => boolean = () => false,
): unknown {
  const refusal = toStorageRefusal(error);
  if (!(refusal instanceof Refusal))
    services.metrics.requestRefused(upload?.endpoint ?? request.endpoint, 'internal');
  else if (!isExpected(refusal)) reportRefusedPut(services, refusal, request, upload);
  return refusal;
}

/**
 * Counts, logs and remembers a refused PUT. `upload`: its slot, if it was found. Otherwise looks the slot up, because a late or
 * malformed PUT has an owner too. The answer does not wait for the look-up.
 */
export function reportRefusedPut(
  { ledger, metrics, refusals }: ReportServices,
  refusal: Refusal,
  request: RefusedPut,
  upload?: Upload,
): void {
  const { by } = request;
  const report = (slot: Upload | undefined) => refusals.add(toRefusedRequest(refusal, request, slot));
  metrics.requestRefused(upload?.endpoint ?? request.endpoint, refusal.code);
  if (upload !== undefined || by === undefined || !('putKey' in by)) report(upload);
  else void ledger.findByPutKey(by.putKey).then(report, () => report(undefined));
}

function toRefusedRequest(
  refusal: Refusal,
  { endpoint, signed, size, body, isProbe }: RefusedPut,
  slot: Upload | undefined,
): RefusedRequest {
  return {
    kind: 'upload',
    endpoint: slot?.endpoint ?? endpoint,
    refusal,
    owner: slot?.owner ?? refusal.owner ?? (signed && ownerOf(signed.uploader)),
    uploadId: slot?.id,
    name: slot?.name ?? signed?.name,
    size: slot?.size ?? size,
    received: body?.received,
    isProbe,
  };
}

function ownerOf(uploader: Uploader): string {
  if (uploader === 'anonymous') return ANONYMOUS_OWNER;
  return 'jid' in uploader ? uploader.jid : ownerFromSha1(uploader.sha1);
}
