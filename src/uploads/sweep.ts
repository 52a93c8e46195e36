import { formatPeriod, formatSize } from '../base/units.ts';
import type { RemovalReason } from '../base/upload-records.ts';
import { HEARTBEAT_TIMEOUT_MS, type SweepStep } from '../ledger/contract/ledger.ts';
import { maxAgeFor, type Retention, toLifetimes } from '../policy/retention.ts';
import { deletePendingBlobs } from './remove.ts';
import type { UploadServices } from './services.ts';

/** Rows that one transaction of a sweep takes: a few milliseconds of the ledger, whatever the backlog. */
const BATCH = 500;
/** A write into which nothing has come for a day belongs to nobody any more. */
const BROKEN_OFF_MS = 86_400_000;
/** Purposes that the XEP knows; uploads keep theirs even when the config no longer offers it. */
const XEP_PURPOSES = ['', 'message', 'profile', 'ephemeral', 'permanent'];

export interface SweepOptions {
  /** Counts what would go and changes nothing. */
  readonly dryRun?: boolean;
  /** In place of `retention.max_age`, ms; purposes with an age of their own keep it. */
  readonly maxAge?: number;
  /** Records of removed slots older than this many ms are dropped; null = kept for ever. */
  readonly keepRecords: number | null;
  /** Told after each batch what has gone so far. */
  readonly onProgress?: (report: SweepReport) => void;
  readonly signal?: AbortSignal;
}

export interface SweepReport {
  /** Slots given back unused. */
  unused: number;
  /** Uploads that went, by reason, and their bytes. */
  expired: number;
  softQuota: number;
  bytes: number;
  /** Claims of dead processes that were voided. */
  deadClaims: number;
  records: number;
}

type Tally = 'unused' | 'expired' | 'softQuota' | 'deadClaims' | 'records';

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

/**
 * Removes what is past its time, in bounded batches with the traffic going on between them. Safe beside any
 * number of other sweeps: each batch is one transaction.
 */
export async function runSweep(deps: UploadServices, options: SweepOptions): Promise<SweepReport> {
  const start = performance.now();
  const report: SweepReport = { unused: 0, expired: 0, softQuota: 0, bytes: 0, deadClaims: 0, records: 0 };
  for (const task of tasks(deps, options)) {
    if (options.signal?.aborted) break;
    await run(deps, task, options, report);
  }
  if (!options.dryRun) await deletePendingBlobs(deps);
  deps.metrics.sweepFinished(performance.now() - start);
  deps.log.info({ ...report, ms: Math.round(performance.now() - start) }, 'sweep done');
  // Last, because it may fail by itself: a store may let us remove files and not list what broke off.
  if (!options.dryRun) await deps.blobs.removeAbandonedWrites?.(deps.clock() - BROKEN_OFF_MS);
  return report;
}

async function run(
  deps: UploadServices,
  task: Task,
  options: SweepOptions,
  report: SweepReport,
): Promise<void> {
  const limit = options.dryRun ? Number.MAX_SAFE_INTEGER : BATCH;
  for (;;) {
    const order = { ...task.step, limit, now: deps.clock(), dryRun: options.dryRun ?? false } as SweepStep;
    const { count, bytes } = await deps.ledger.sweep(order);
    if (task.tally) report[task.tally] += count;
    if (task.tally === 'expired' || task.tally === 'softQuota') report.bytes += bytes;
    if (task.reason && !options.dryRun) deps.metrics.uploadsRemoved(task.reason, count, bytes);
    if (!options.dryRun && count > 0) await deletePendingBlobs(deps);
    options.onProgress?.(report);
    if (count < limit || options.signal?.aborted) return;
  }
}

function tasks(deps: UploadServices, options: SweepOptions): Task[] {
  const now = deps.clock();
  const configured = deps.rules().retention;
  const retention = options.maxAge === undefined ? configured : { ...configured, max_age: options.maxAge };
  return [
    {
      step: { kind: 'dead_claims', silentSince: now - HEARTBEAT_TIMEOUT_MS },
      tally: 'deadClaims',
      reason: null,
    },
    { step: { kind: 'unused' }, tally: 'unused', reason: 'unused' },
    { step: { kind: 'expires_at' }, tally: 'expired', reason: 'expired' },
    ...ageTasks(retention, now),
    ...softQuotaTasks(retention),
    ...recordTasks(options.keepRecords, now),
    { step: { kind: 'upload_rates' }, tally: null, reason: null },
    { step: { kind: 'message_rates' }, tally: null, reason: null },
    { step: { kind: 'idempotency_keys' }, tally: null, reason: null },
  ];
}

function ageTasks(retention: Retention, now: number): Task[] {
  const purposes = new Set([...XEP_PURPOSES, ...Object.keys(retention.purposes)]);
  return [...purposes].flatMap((purpose) => {
    const maxAge = maxAgeFor(retention, purpose);
    if (maxAge === null) return [];
    const detail = `older than ${formatPeriod(maxAge)}${purpose && ` (purpose ${purpose})`}`;
    const step = { kind: 'max_age', purpose, storedBefore: now - maxAge, detail } as const;
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
  return [{ step: { kind: 'records', removedBefore: now - keepRecords }, tally: 'records', reason: null }];
}
