import { dirname } from 'node:path';
import { type DiskSpace, readDiskSpace } from '../base/system-resources.ts';
import { formatCount, formatSize } from '../base/units.ts';
import type { BlobStore } from '../blobs/contract.ts';
import type { Config } from '../config/load.ts';
import { HEARTBEAT_TIMEOUT_MS, type InstanceState } from '../ledger/contract/ledger.ts';
import { reservedBytes, reservedFiles } from '../uploads/disk/space-reserve.ts';
import { formatSkew, measureClockSkew, NOTICEABLE_SKEW_MS } from '../uploads/heartbeat/clock-skew.ts';
import type { UploadServices } from '../uploads/services.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

/** A disk with less free bytes is nearly full, a small one with less than this share. `--min-free` replaces both. */
const LOW_BYTES = 1024 ** 3;
const LOW_SHARE = 0.05;
/** With less free bytes, SQLite and uploads begin to fail. */
const FULL_BYTES = 64 * 1024 ** 2;

/** Checks that the database and the file store can be read and written. */
export async function checkStores(
  report: DoctorReport,
  config: Config,
  { ledger, blobs, clock }: Pick<UploadServices, 'ledger' | 'blobs' | 'clock'>,
): Promise<void> {
  try {
    await ledger.checkWritable();
    const { uploads, owners } = await ledger.stats();
    report.ok(
      'ledger',
      `The database answers: ${formatCount(uploads, 'file')} of ${formatCount(owners, 'user')}.`,
    );
    await checkDeletions(report, config, { ledger });
  } catch (error) {
    report.fail('ledger', `The database cannot be used: ${errorMessage(error)}`);
  }
  await checkLedgerClock(report, config, { ledger, clock });
  try {
    await blobs.checkWritable();
    report.ok('blobs', 'Files can be written.');
  } catch (error) {
    report.fail('blobs', `${errorMessage(error)} ${blobsAdvice(config)}`);
  }
}

/** The largest number of failed deletions that the doctor counts. */
const MAX_COUNTED = 1000;

/** Reports removed files whose bytes the store does not delete. */
async function checkDeletions(
  report: DoctorReport,
  { storage: { blobs } }: Pick<Config, 'storage'>,
  { ledger }: Pick<UploadServices, 'ledger'>,
): Promise<void> {
  const failed = await ledger.failedDeletes(MAX_COUNTED);
  const [first] = failed;
  if (first === undefined) return report.ok('deletions', 'The bytes of all removed files could be deleted.');
  const count = failed.length === MAX_COUNTED ? `${MAX_COUNTED} or more` : String(failed.length);
  const remedy =
    blobs.kind === 's3'
      ? 'The S3 keys must allow s3:DeleteObject (docs/s3.md), and no retention lock may hold the object.'
      : `The folder ${blobs.path} must belong to the user that runs Porter, and no file in it may be immutable (lsattr, chattr -i).`;
  report.warn(
    'deletions',
    `The storage does not delete the bytes of ${count} removed ${failed.length === 1 ? 'file' : 'files'}, such as ${first.blob} (${formatCount(first.attempts, 'attempt')}): ` +
      `${first.reason} ${remedy} Porter tries again by itself; porter fsck --repair tries at once.`,
  );
}

/** Compares the clock of PostgreSQL with this machine's clock, and with those of all running instances. */
async function checkLedgerClock(
  report: DoctorReport,
  { storage }: Config,
  services: Pick<UploadServices, 'ledger' | 'clock'>,
): Promise<void> {
  if (storage.ledger.kind !== 'postgres') return;
  try {
    const instances = await services.ledger.listInstances();
    reportLedgerClock(report, await measureClockSkew(services), instances);
  } catch (error) {
    report.fail(LEDGER_CLOCK, `It cannot be read: ${errorMessage(error)}`);
  }
}

const LEDGER_CLOCK = 'clock of the database';

/** Reports the clock skews. `skewMs`: milliseconds by which the database is ahead of this machine; null if it answers too slowly. */
export function reportLedgerClock(
  report: DoctorReport,
  skewMs: number | null,
  instances: readonly Pick<InstanceState, 'host' | 'clockSkewMs' | 'silentMs'>[],
): void {
  const running = instances.filter(({ silentMs }) => silentMs < HEARTBEAT_TIMEOUT_MS);
  const others = running.map(({ host, clockSkewMs }) => ({ machine: `of ${host}`, skewMs: clockSkewMs }));
  const all = [{ machine: 'of this machine', skewMs }, ...others];
  const texts = all
    .filter((one) => one.skewMs !== null && Math.abs(one.skewMs) > NOTICEABLE_SKEW_MS)
    .map((one) => `${formatSkew(one.skewMs ?? 0)} the clock ${one.machine}`);
  if (texts.length > 0) {
    report.warn(
      LEDGER_CLOCK,
      `It is ${[...new Set(texts)].join(', ')}: slots expire too early or too late. Synchronise all clocks (chrony, ` +
        'systemd-timesyncd).',
    );
  } else if (skewMs === null) report.skip(LEDGER_CLOCK, 'Not compared: the database answers too slowly.');
  else report.ok(LEDGER_CLOCK, "It agrees with this machine's clock and with those of all instances.");
}

/** Returns the remedy if files cannot be written. */
export function blobsAdvice({ storage: { blobs } }: Pick<Config, 'storage'>): string {
  return blobs.kind === 's3'
    ? 'S3 must be reachable, its keys must allow writing to the bucket, and the bucket must have free space. docs/s3.md has the policy.'
    : `The folder ${blobs.path} (storage.blobs) must belong to the user that runs Porter, on a disk that is mounted for writing. ` +
        `If the owner is wrong, run: chown -R porter ${blobs.path}`;
}

const FREE_SPACE =
  'Free some space: porter users shows the usage by user, porter cleanup --max-age 7d removes older files, ' +
  'global_quota limits the total.';

/** Checks the free space of the disks. `minFree`: required free bytes, instead of the default thresholds. */
export async function checkDiskSpace(
  report: DoctorReport,
  config: Config,
  blobs: BlobStore,
  minFree: number | undefined,
): Promise<void> {
  const { ledger, reserve } = config.storage;
  const disks: [check: string, read: () => Promise<DiskSpace | undefined>][] = [
    ['disk space for blobs', () => blobs.space()],
  ];
  if (ledger.kind === 'sqlite') {
    disks.push(['disk space for the ledger', () => readDiskSpace(dirname(ledger.path))]);
  }
  for (const [check, read] of disks) {
    try {
      const space = await read();
      if (space) reportDiskSpace(report, check, space, { minFree, reserve });
    } catch (error) {
      report.fail(check, `The free space cannot be read: ${shortErrorReason(error)}.`);
    }
  }
}

export function reportDiskSpace(
  report: DoctorReport,
  check: string,
  space: DiskSpace,
  { minFree, reserve }: { readonly minFree?: number | undefined; readonly reserve: number | null },
): void {
  const { free, total, freeFiles, totalFiles } = space;
  const summary = `${formatSize(free)} free of ${formatSize(total)}`;
  const reserved = reservedBytes(reserve, space);
  if (free < reserved) {
    report.fail(
      check,
      `The disk has less than storage.reserve (${formatSize(reserved)}): ${summary}. New slots and uploads get 507. ${FREE_SPACE}`,
    );
    return;
  }
  if (totalFiles > 0 && freeFiles < reservedFiles(reserve, space)) {
    report.fail(
      check,
      `The file system has room for ${formatCount(freeFiles, 'more file')} only (inodes). New slots and uploads get 507. ${FREE_SPACE}`,
    );
    return;
  }
  const limit = minFree ?? Math.max(FULL_BYTES, Math.min(LOW_BYTES, total * LOW_SHARE));
  if (free >= limit) {
    report.ok(check, `${summary}.`);
    return;
  }
  const text =
    total < limit
      ? `The disk is too small: ${formatSize(total)} in total, and ${formatSize(limit)} should be free. Use a larger one.`
      : `The disk is nearly full: ${summary}. ${FREE_SPACE}`;
  if (free < FULL_BYTES || minFree !== undefined) report.fail(check, text);
  else report.warn(check, text);
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
