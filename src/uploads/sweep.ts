import { timeOrderedId } from '../base/ids.ts';
import { formatSize } from '../base/units.ts';
import type { RemovalReason } from '../base/upload-records.ts';
import type { SweepCounts, SweepRun, SweepStep } from '../ledger/contract/ledger.ts';
import { maxAgeFor, type Retention, toLifetimes } from '../policy/retention.ts';
import { deleteFilesOfDeadWriters } from './blobs/dead-writers.ts';
import { deletePendingBlobs } from './blobs/delete-pending.ts';
import { publishPendingBlobs } from './blobs/publish.ts';
import { runBatch } from './remove.ts';
import type { UploadServices } from './services.ts';

/** Rows per transaction: blocks the ledger for a few milliseconds, whatever the backlog. */
const BATCH = 500;
/** A multipart write without new data for this long is abandoned. */
const ABANDONED_AFTER_MS = 86_400_000;
/** Age after which a spool file is removed. An upload by a form ends within half an hour. */
const SPOOL_FILES_MS = 3_600_000;
/** The purposes of XEP-0363 1.2.0. Uploads keep their purpose even if the config no longer offers it. */
const XEP_PURPOSES = ['', 'message', 'profile', 'ephemeral', 'permanent'];

export interface SweepOptions {
  /** Only counts what would be removed. */
  readonly dryRun?: boolean;
  /** Replaces `retention.max_age`, ms. Purposes with a configured age keep it. */
  readonly maxAge?: number;
  /** Age in ms after which removal records are deleted; null = never. */
  readonly keepRecords: number | null;
  /** Called after each batch. */
  readonly onProgress?: (report: SweepReport) => void;
  /** Called when the sweep is done, before the removal of abandoned writes, which may fail on its own. */
  readonly onDone?: (report: SweepReport) => void;
  readonly signal?: AbortSignal;
}

/** The counts so far. */
export type SweepReport = { -readonly [Name in keyof SweepCounts]: SweepCounts[Name] };

const WEB_TABLES = [
  'web_sessions',
  'web_tokens',
  'sign_in_links',
  'guest_links',
  'usage_history',
  'daily_counts',
  'hook_calls',
] as const;

type Tally = 'unused' | 'expired' | 'softQuota' | 'deadClaims' | 'records';

/** One kind of expired row, and where it is counted. */
interface Task {
  readonly step: SweepInput;
  readonly tally: Tally | null;
  readonly reason: RemovalReason | null;
}

type SweepInput = SweepStep extends infer S
  ? S extends SweepStep
    ? Omit<S, 'limit' | 'now' | 'dryRun'>
    : never
  : never;

type SweepServices = Pick<UploadServices, 'ledger' | 'blobs' | 'rules' | 'clock' | 'log' | 'metrics'>;

/**
 * Removes expired uploads, slots and records in bounded batches, so that requests are served in between. Sweeps may run
 * at the same time in several processes: each batch is one transaction.
 */
export async function runSweep(services: SweepServices, options: SweepOptions): Promise<SweepReport> {
  const start = performance.now();
  const startedAt = services.clock();
  const report: SweepReport = { unused: 0, expired: 0, softQuota: 0, bytes: 0, deadClaims: 0, records: 0 };
  for (const task of createTasks(services, options)) {
    if (options.signal?.aborted) break;
    await runTask(services, task, options, report);
  }
  if (!options.dryRun) {
    await publishPendingBlobs(services);
    await deletePendingBlobs(services);
  }
  const durationMs = Math.round(performance.now() - start);
  services.metrics.sweepFinished(durationMs);
  services.log.info({ ...report, ms: durationMs }, 'sweep done');
  if (!options.dryRun) await recordSweep(services, { startedAt, durationMs, ...report });
  options.onDone?.(report);
  // Last, because some may fail on their own: an S3 policy may permit deletes but not listing objects or multipart uploads.
  if (!options.dryRun) {
    await services.blobs.removeSpoolFiles?.(services.clock() - SPOOL_FILES_MS);
    await deleteFilesOfDeadWriters(services);
    await services.blobs.removeAbandonedWrites?.(services.clock() - ABANDONED_AFTER_MS);
  }
  return report;
}

/** Records the sweep for the web page. A failure does not make the sweep itself fail. */
async function recordSweep({ ledger, log }: SweepServices, run: Omit<SweepRun, 'id'>): Promise<void> {
  await ledger
    .recordSweep({ id: timeOrderedId(run.startedAt), ...run })
    .catch((err: unknown) => log.warn({ err }, 'the sweep is done, but could not be recorded'));
}

async function runTask(
  services: SweepServices,
  task: Task,
  options: SweepOptions,
  report: SweepReport,
): Promise<void> {
  const { dryRun = false } = options;
  for (let batch = dryRun ? Number.MAX_SAFE_INTEGER : BATCH; ; ) {
    const { result, limit } = await runBatch(batch, (size) =>
      services.ledger.sweep({ ...task.step, limit: size, now: services.clock(), dryRun } as SweepStep),
    );
    const { count, bytes } = result;
    batch = limit;
    if (task.tally) report[task.tally] += count;
    if (task.tally === 'expired' || task.tally === 'softQuota') report.bytes += bytes;
    if (task.reason && !options.dryRun) services.metrics.uploadsRemoved(task.reason, count, bytes);
    if (!options.dryRun && count > 0) await deletePendingBlobs(services);
    options.onProgress?.(report);
    if (count < limit || options.signal?.aborted) return;
  }
}

function createTasks(services: SweepServices, options: SweepOptions): Task[] {
  const now = services.clock();
  const configured = services.rules().retention;
  const retention = options.maxAge === undefined ? configured : { ...configured, max_age: options.maxAge };
  return [
    {
      step: { kind: 'dead_claims' },
      tally: 'deadClaims',
      reason: null,
    },
    { step: { kind: 'unused' }, tally: 'unused', reason: 'unused' },
    { step: { kind: 'expires_at' }, tally: 'expired', reason: 'expired' },
    ...ageTasks(retention),
    ...softQuotaTasks(retention),
    ...recordTasks(options.keepRecords, now),
    { step: { kind: 'upload_rates' }, tally: null, reason: null },
    { step: { kind: 'message_rates' }, tally: null, reason: null },
    { step: { kind: 'idempotency_keys' }, tally: null, reason: null },
    { step: { kind: 'refusals' }, tally: null, reason: null },
    { step: { kind: 'trash' }, tally: null, reason: null },
    { step: { kind: 'quarantine' }, tally: null, reason: null },
    ...WEB_TABLES.map((kind) => ({ step: { kind }, tally: null, reason: null })),
  ];
}

function ageTasks(retention: Retention): Task[] {
  const purposes = new Set([...XEP_PURPOSES, ...Object.keys(retention.purposes)]);
  return [...purposes].flatMap((purpose) => {
    const maxAge = maxAgeFor(retention, purpose);
    if (maxAge === null) return [];
    const step = { kind: 'max_age', purpose, maxAge } as const;
    return [{ step, tally: 'expired', reason: 'expired' } as const];
  });
}

function softQuotaTasks(retention: Retention): Task[] {
  const bytes = retention.soft_quota;
  if (bytes === 0) return [];
  const detail = `the oldest above the soft quota of ${formatSize(bytes)}`;
  const step = { kind: 'soft_quota', bytes, lifetimes: toLifetimes(retention), detail } as const;
  return [{ step, tally: 'softQuota', reason: 'soft_quota' }];
}

function recordTasks(keepRecords: number | null, now: number): Task[] {
  if (keepRecords === null) return [];
  return [
    { step: { kind: 'records', removedBefore: now - keepRecords }, tally: 'records', reason: null },
    { step: { kind: 'audit', recordedBefore: now - keepRecords }, tally: null, reason: null },
  ];
}
