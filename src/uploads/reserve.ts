import { formatMoment } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { formatCount, formatSize, formatSpan } from '../base/units.ts';
import type { Upload } from '../base/upload-records.ts';
import {
  type CompleteFile,
  countsUploads,
  type LimitName,
  type Limits,
  type Reservation,
  type ReserveResult,
  type StoreNewResult,
} from '../ledger/contract/ledger.ts';
import type { AccessRule, UploadLimits } from '../policy/access.ts';
import { matchesMediaRange } from '../policy/media-type.ts';
import { toLifetimes } from '../policy/retention.ts';
import { refuseUnscannable } from './content/check-content.ts';
import type { OwnerLimit } from './explain/explain-owner.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';

/** An upload that an access rule permits, with its limits. */
export interface ReserveRequest {
  readonly upload: Reservation['upload'];
  readonly rule: AccessRule;
  readonly limits: UploadLimits;
  readonly putKey: string | null;
  /** Set if the PUT has already arrived: reserves and claims in one transaction. */
  readonly claim?: Reservation['claim'];
  readonly reusesLocator?: boolean | undefined;
  readonly now: number;
}

interface FileRequest extends Pick<ReserveRequest, 'rule' | 'limits'> {
  readonly upload: Pick<Upload, 'size' | 'type'>;
}

type NewUploadRequest = Omit<ReserveRequest, 'putKey' | 'claim'>;

export type ReserveServices = Pick<
  UploadServices,
  'ledger' | 'rules' | 'spaceReserve' | 'metrics' | 'blobDeleter'
>;

type FinalResult = Exclude<ReserveResult, { limit: 'batch' }>;

/** The upload that has, or had, the same locator. */
export type LocatorTaken = Extract<ReserveResult, { limit: 'locator' }>;

/**
 * Charges an upload to its owner's quotas and writes its row. Throws a `Refusal` if a rule or a quota forbids it. Returns
 * the conflicting upload if the locator is or was in use, else undefined.
 */
export async function reserveUpload(
  services: ReserveServices,
  request: ReserveRequest,
): Promise<LocatorTaken | undefined> {
  const { putKey, claim, limits, upload, now } = request;
  await checkUpload(services, request);
  const reservation = {
    ...toReservation(services, request),
    putKey,
    ...(claim && { claim }),
  };
  const reserved = await reserveInBatches(services, reservation);
  if (reserved.granted) return undefined;
  if (reserved.limit === 'locator') return reserved;
  throw overQuota(reserved, upload, limits.quotas, now);
}

async function reserveInBatches(services: ReserveServices, reservation: Reservation): Promise<FinalResult> {
  try {
    for (;;) {
      const result = await services.ledger.reserve(reservation);
      if (isFinal(services, result)) return result;
    }
  } catch (error) {
    throw toStorageRefusal(error);
  }
}

/** Checks everything that needs no transaction. Throws a `Refusal`. */
export function checkUpload(
  services: Pick<ReserveServices, 'spaceReserve' | 'rules'>,
  request: NewUploadRequest,
): Promise<void> {
  checkFile(services, request);
  return services.spaceReserve.check(request.upload.size);
}

/** Checks the size and the type of a file. Throws a `Refusal`. */
export function checkFile(
  { rules }: Pick<ReserveServices, 'rules'>,
  { upload, rule, limits }: FileRequest,
): void {
  checkSize(upload.size, limits);
  refuseUnscannable(rules().content?.scan, upload.size);
  checkType(upload.type, rule);
}

/**
 * Charges an upload to its owner's quotas and stores it with its file, in one transaction. Returns false if the upload needs a
 * claim, or its locator is or was in use. Throws a `Refusal` if a quota forbids it, or the error of the ledger.
 */
export async function storeAtOnce(
  services: ReserveServices,
  request: NewUploadRequest,
  file: CompleteFile,
): Promise<boolean> {
  const params = { ...toReservation(services, request), file };
  let result: StoreNewResult;
  do result = await services.ledger.storeNew(params);
  while (!isFinal(services, result));
  if (result.granted) return true;
  if (result.limit === 'locator' || result.limit === 'instance') return false;
  throw overQuota(result, request.upload, request.limits.quotas, request.now);
}

function toReservation(
  { rules }: Pick<ReserveServices, 'rules'>,
  { upload, rule, limits, reusesLocator, now }: NewUploadRequest,
): Omit<Reservation, 'putKey' | 'claim'> {
  return {
    upload,
    limits: limits.quotas,
    evict: rule.when_full === 'evict',
    lifetimes: toLifetimes(rules().retention),
    now,
    ...(reusesLocator && { reusesLocator }),
  };
}

/**
 * Returns false if the reservation must be repeated, because it has removed as many uploads as one transaction may. The bytes of
 * removed uploads are deleted in the background.
 */
function isFinal<R extends StoreNewResult>(
  { metrics, blobDeleter }: Pick<ReserveServices, 'metrics' | 'blobDeleter'>,
  result: R,
): result is Exclude<R, { limit: 'batch' }> {
  if (result.removed !== undefined) {
    for (const { reason, uploads, bytes } of result.removed) metrics.uploadsRemoved(reason, uploads, bytes);
    blobDeleter.wake();
  }
  return result.granted || result.limit !== 'batch';
}

function checkSize(size: number, { maxFileSize: max }: UploadLimits): void {
  if (max === null || size <= max) return;
  throw new Refusal('file_too_large', {
    text: `The file is too large: ${formatSize(size)}. The maximum file size is ${max} bytes (${formatSize(max)}).`,
    maxFileSize: max,
  });
}

function checkType(type: string, rule: AccessRule): void {
  if (rule.allowed_types === null || matchesMediaRange(type, rule.allowed_types)) return;
  throw new Refusal('type_not_allowed', {
    text: `Files of type ${type} may not be uploaded here, only ${rule.allowed_types.join(', ')}.`,
  });
}

type OverQuota = Exclude<FinalResult, { granted: true } | LocatorTaken>;

/** The text names the usage, the limit and when space frees up; see docs/protocols.md, "Quota errors". */
function overQuota(
  { limit, used, allowed, retryAt }: OverQuota,
  { size }: Pick<Upload, 'size'>,
  limits: Limits,
  now: number,
): Refusal {
  const when = retryAt === null ? formatRemedy(limit, size, allowed) : formatRetry(retryAt, now);
  const period = limit === 'bytesPer' || limit === 'uploadsPer' ? (limits[limit]?.period ?? null) : null;
  const text = formatQuota({ limit, used, allowed, period }, `this file needs ${formatSize(size)}`);
  return new Refusal(limit === 'globalBytes' ? 'service_full' : 'quota_exceeded', {
    text: `${text} ${when}`,
    ...(retryAt !== null && { retryAt }),
  });
}

/** Describes a limit and its use. `period`: milliseconds. `needs`: text about the file of the request, if there is one. */
function formatQuota(
  { limit, used, allowed, period }: Pick<OwnerLimit, 'limit' | 'used' | 'allowed' | 'period'>,
  needs?: string,
): string {
  const of = `${formatSize(used)} of ${formatSize(allowed)}`;
  const addNeeds = (separator: string) => (needs === undefined ? '' : `${separator} ${needs}`);
  const texts: Record<typeof limit, string> = {
    ownerBytes: `Your storage is full: ${of} used${addNeeds(',')}.`,
    ownerFiles: `You have ${used} of ${formatCount(allowed, 'file')}, unused slots included.`,
    purposeBytes: `Your storage for this purpose is full: ${of} used${addNeeds(',')}.`,
    bytesPer: `You have uploaded ${of} in the last ${formatSpan(period ?? 0)}${addNeeds(';')}.`,
    uploadsPer: `You have uploaded ${used} of ${formatCount(allowed, 'file')} in the last ${formatSpan(period ?? 0)}.`,
    globalBytes: `This upload service is full${addNeeds(':')}.`,
  };
  return texts[limit];
}

/** Returns the text with which every upload is refused while this limit is exhausted. */
export function describeExhaustedLimit(limit: OwnerLimit, now: number): string {
  const { freesAt, allowed } = limit;
  const when = freesAt === null ? formatRemedy(limit.limit, 1, allowed) : formatRetry(freesAt, now);
  return `${formatQuota(limit)} ${when}`;
}

function formatRetry(retryAt: number, now: number): string {
  return `There is room again ${formatMoment(Math.max(retryAt, now + 1), now)}.`;
}

function formatRemedy(limit: LimitName, size: number, allowed: number): string {
  if (!countsUploads(limit) && size > allowed) return 'A file of this size never fits.';
  return 'Waiting does not help: delete some files.';
}
