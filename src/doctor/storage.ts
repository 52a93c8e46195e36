import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatSize } from '../base/units.ts';
import type { BlobStore } from '../blobs/contract.ts';
import type { Config } from '../config/load.ts';
import type { Ledger } from '../ledger/contract/ledger.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

export interface DiskSpace {
  /** Bytes. */
  readonly free: number;
  readonly total: number;
}

/** Below this a disk counts as nearly full, unless the admin names another figure. */
const NEARLY_FULL = 1024 ** 3;
const NEARLY_FULL_PART = 0.05;
/** Below this SQLite and uploads begin to fail. */
const FULL = 64 * 1024 ** 2;

export async function checkStores(
  notes: DoctorReport,
  config: Config,
  { ledger, blobs }: { ledger: Ledger; blobs: BlobStore },
): Promise<void> {
  try {
    const { uploads, owners } = await ledger.stats();
    notes.ok('ledger', `It answers: ${uploads} files of ${owners} users.`);
  } catch (fault) {
    notes.fail('ledger', `It does not answer: ${messageOf(fault)}`);
  }
  try {
    await blobs.checkWritable();
    notes.ok('blobs', 'They can be written.');
  } catch (fault) {
    notes.fail('blobs', `${messageOf(fault)} ${blobsAdvice(config)}`);
  }
}

/** What to do where blobs cannot be written. */
export function blobsAdvice({ storage: { blobs } }: Pick<Config, 'storage'>): string {
  return blobs.kind === 's3'
    ? 'S3 must answer, its keys must be allowed to write to the bucket, and there must be room in it: docs/s3.md has the policy.'
    : 'The folder of storage.blobs must belong to the user that runs Porter, on a disk that is mounted for writing.';
}

/** `minFree`: bytes that must be free, in place of our own idea of it. */
export async function checkDiskSpace(
  notes: DoctorReport,
  config: Config,
  blobs: BlobStore,
  minFree: number | undefined,
): Promise<void> {
  const { ledger } = config.storage;
  const rooms: [string, () => Promise<DiskSpace | undefined>][] = [
    ['disk space for blobs', () => blobs.space()],
  ];
  if (ledger.kind === 'sqlite')
    rooms.push(['disk space for the ledger', () => spaceAt(dirname(ledger.path))]);
  for (const [check, look] of rooms) {
    try {
      const room = await look();
      if (room) reportDiskSpace(notes, check, room, minFree);
    } catch (fault) {
      notes.fail(check, `It cannot be looked at: ${shortErrorReason(fault)}.`);
    }
  }
}

export function reportDiskSpace(
  notes: DoctorReport,
  check: string,
  { free, total }: DiskSpace,
  minFree?: number,
): void {
  const limit = minFree ?? Math.min(NEARLY_FULL, total * NEARLY_FULL_PART);
  const words = `${formatSize(free)} free of ${formatSize(total)}`;
  const advice =
    'Make room: porter users shows who has how much, porter cleanup --max-age 7d removes what is older, ' +
    'global_quota keeps it from filling up again.';
  if (free >= Math.max(limit, minFree === undefined ? FULL : 0)) notes.ok(check, `${words}.`);
  else if (free < FULL || minFree !== undefined)
    notes.fail(check, `The disk is nearly full: ${words}. ${advice}`);
  else notes.warn(check, `The disk is nearly full: ${words}. ${advice}`);
}

async function spaceAt(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
