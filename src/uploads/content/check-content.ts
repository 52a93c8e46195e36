import { createHash, type Hash } from 'node:crypto';
import { Refusal } from '../../base/errors.ts';
import { formatSize } from '../../base/units.ts';
import type { ContentFacts, ScanState, Upload } from '../../base/upload-records.ts';
import { BlobError, type BlobStore } from '../../blobs/contract.ts';
import type { QuarantineParams } from '../../ledger/contract/ledger.ts';
import type { UploadServices } from '../services.ts';
import type { ScanRules } from './content-checks.ts';

/*
 * Every new file passes these checks after its bytes are durable and before the ledger stores it:
 *
 *   hash, if needed ──> blocked? ──> scan, if configured ──> stored, with hash and scan state
 *                          │             │
 *                          │             ├─ infected: the slot ends, its quota is refunded, the bytes go to the quarantine (422)
 *                          │             └─ no scanner: as configured
 *                          └─ 422
 */

/** Milliseconds after which a client is asked to try again if the scanner is not available. */
const RETRY_MS = 60_000;

/** The complete file of one attempt. */
export interface CompleteAttempt {
  /** With the key and the size of this attempt. */
  readonly upload: Upload;
  readonly holds: QuarantineParams['holds'];
  /** Hex SHA-256, if it was computed while the bytes arrived. */
  readonly sha256?: string | undefined;
  /** Yields the bytes. By default they are read from the store. */
  readonly read?: () => AsyncIterable<Uint8Array>;
}

export type CheckServices = Pick<
  UploadServices,
  'ledger' | 'blobs' | 'rules' | 'clock' | 'log' | 'content' | 'blobDeleter'
>;

/**
 * Returns the facts about the content of a file, or undefined if no check is configured. Throws a `Refusal` if the file must
 * not be stored.
 */
export async function checkContent(
  services: CheckServices,
  attempt: CompleteAttempt,
): Promise<ContentFacts | undefined> {
  const scan = services.rules().content?.scan ?? null;
  const sha256 =
    attempt.sha256 ?? ((await services.content.needsHash()) ? await hashOf(services, attempt) : null);
  if (sha256 !== null && (await services.content.hasBlockedHashes()))
    await refuseBlocked(services, attempt, sha256);
  const state = scan && (await scanAttempt(services, scan, { ...attempt, sha256: sha256 ?? undefined }));
  return sha256 === null && state === null ? undefined : { sha256, scan: state };
}

/** Throws a `Refusal` if a file of this size is too large to be scanned, and such files are refused. */
export function refuseUnscannable(scan: ScanRules | null | undefined, size: number): void {
  if (scan?.whenLarger !== 'refuse' || size <= scan.maxSize) return;
  throw new Refusal('file_too_large', {
    text: `The file is too large for the virus scanner: ${formatSize(size)}. The maximum is ${formatSize(scan.maxSize)}.`,
    maxFileSize: scan.maxSize,
  });
}

/** Yields the same batches, and adds their bytes to `hash`. */
export async function* hashing(
  hash: Hash,
  batches: AsyncIterable<readonly Uint8Array[]>,
): AsyncGenerator<readonly Uint8Array[], void> {
  for await (const batch of batches) {
    for (const chunk of batch) hash.update(chunk);
    yield batch;
  }
}

/** Returns the hex SHA-256 of bytes. */
export async function hashBytes(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest('hex');
}

/** Yields the bytes of a blob. Throws `BlobError` if there is none. */
export async function* readBlob(
  blobs: Pick<BlobStore, 'open'>,
  key: string,
): AsyncGenerator<Uint8Array, void> {
  const blob = await blobs.open(key);
  if (!blob) throw new BlobError('missing', `The bytes of ${key} are missing.`);
  try {
    yield* blob.read(0, blob.size);
  } finally {
    await blob.close();
  }
}

const bytesOf = ({ blobs }: Pick<CheckServices, 'blobs'>, { upload, read }: CompleteAttempt) =>
  read?.() ?? readBlob(blobs, upload.blob);

const hashOf = (services: CheckServices, attempt: CompleteAttempt) => hashBytes(bytesOf(services, attempt));

async function refuseBlocked(
  { ledger, log }: CheckServices,
  { upload: { id, owner, endpoint } }: CompleteAttempt,
  sha256: string,
): Promise<void> {
  if (!(await ledger.findBlockedHash(sha256))) return;
  log.info({ id, owner, endpoint, sha256 }, 'upload of a blocked file refused');
  throw new Refusal('file_blocked');
}

/** Scans a file, unless it is too large. Throws a `Refusal` if it is infected, or if it must be scanned and cannot be. */
async function scanAttempt(
  services: CheckServices,
  scan: ScanRules,
  attempt: CompleteAttempt,
): Promise<ScanState> {
  const { size, owner } = attempt.upload;
  if (size > scan.maxSize) return acceptLarger(scan, size);
  const result = await services.content.scan(scan, owner, () => bytesOf(services, attempt));
  switch (result?.kind) {
    case 'clean':
      return 'clean';
    case 'infected':
      await quarantine(services, scan, attempt, result.signature);
      throw new Refusal('infected', {
        text: `The file was not stored: the virus scanner has found ${result.signature} in it.`,
      });
    case 'too_large':
      services.log.warn(
        { size, maxSize: scan.maxSize },
        'clamd accepts only smaller files than uploads.scan.max_size: raise StreamMaxLength in clamd.conf, or lower max_size',
      );
      return acceptLarger(scan, size);
    case undefined:
      if (scan.whenUnavailable === 'accept') return 'unavailable';
      throw new Refusal('scanner_unavailable', { retryAt: services.clock() + RETRY_MS });
  }
}

/** The scanner may accept less than `max_size`. Then the limit in the text is the size of this file. */
function acceptLarger(scan: ScanRules, size: number): ScanState {
  refuseUnscannable({ ...scan, maxSize: Math.min(scan.maxSize, size - 1) }, size);
  return 'too_large';
}

async function quarantine(
  services: CheckServices,
  { quarantineMs }: ScanRules,
  attempt: CompleteAttempt,
  signature: string,
): Promise<void> {
  const { ledger, log, clock, blobDeleter } = services;
  const { upload, holds } = attempt;
  const { id, owner, endpoint, name, size } = upload;
  // Test files of porter doctor are neither logged nor kept.
  if (endpoint === 'admin') return;
  log.warn({ id, owner, endpoint, name, size, signature }, 'upload infected');
  const now = clock();
  const sha256 = attempt.sha256 ?? (await hashOf(services, attempt));
  // A record without bytes stays until the slot has expired, so that a repeated PUT gets the same answer.
  const purgeAt = quarantineMs > 0 ? now + quarantineMs : Math.max(now, upload.deadline);
  await ledger.quarantine({ upload, holds, sha256, signature, keepsBytes: quarantineMs > 0, now, purgeAt });
  if (quarantineMs === 0) blobDeleter.wake();
}
