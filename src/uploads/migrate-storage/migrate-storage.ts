import { setTimeout as sleep } from 'node:timers/promises';
import { COPIED_TABLES } from '../../ledger/contract/ledger.ts';
import { deletePendingBlobsOfTarget } from '../blobs/delete-pending.ts';
import { publishPendingBlobs } from '../blobs/publish.ts';
import { rejoinStores } from '../store-identity/join-stores.ts';
import { type MigrationContext, MigrationError, type MigrationReport, prepareTarget } from './prepare.ts';
import { syncTable } from './sync-table.ts';
import { compareAllFiles, verifyFiles, verifyOwnerCounters } from './verify.ts';

/** After a pass with at most this many changes, the rest can be copied while the source is closed. */
const FEW_CHANGES = 200;
/** Maximum number of passes, if the source changes faster than it is copied. */
const MAX_PASSES = 10;
/** Interval at which running uploads are counted. */
const DRAIN_POLL_MS = 100;

export interface MigrationOptions {
  /** Also compares every byte. */
  readonly compareBytes: boolean;
}

export interface FinishMigrationOptions extends MigrationOptions {
  /** Milliseconds that running uploads have to end. */
  readonly drainTimeoutMs: number;
}

/**
 * Copies the source to the target while the source stays in use. The next pass or run copies later changes, and continues
 * after a kill. Returns false if the migration is already finished.
 */
export async function copyStorage(
  context: MigrationContext,
  report: MigrationReport,
  options: MigrationOptions,
): Promise<boolean> {
  if ((await prepareTarget(context)) === 'done') return false;
  await deleteKeptFiles(context.source);
  for (let passes = 1; passes <= MAX_PASSES; passes += 1) {
    if ((await runPass(context, report, false)) <= FEW_CHANGES) break;
  }
  await verifyFiles(context, report);
  if (options.compareBytes) await compareAllFiles(context, report);
  return true;
}

const DELETION_BATCH = 500;

/**
 * Deletes the files of the trash and the quarantine, because these are not copied. If the source is not open, an earlier run has
 * done this already.
 */
async function deleteKeptFiles({ ledger }: MigrationContext['source']): Promise<void> {
  if ((await ledger.migrationState()) !== 'open') return;
  const limit = DELETION_BATCH;
  while ((await ledger.purgeTrash({ limit })) === limit);
  while ((await ledger.deleteQuarantined({ limit })) === limit);
}

/**
 * Copies, then switches over: closes the source, copies the rest, compares both, and opens the target. Opens the source
 * again after a failure. Returns false if the migration is already finished. A shared store gets a new id, which only the
 * target knows: neither the old config nor an old copy of the source can delete files of the target.
 */
export async function finishMigration(
  context: MigrationContext,
  report: MigrationReport,
  options: FinishMigrationOptions,
): Promise<boolean> {
  if (!(await copyStorage(context, report, options))) return false;
  const { source, target } = context;
  try {
    await source.ledger.setMigrationState('closing');
    await drainUploads(context, options.drainTimeoutMs);
    await source.ledger.setMigrationState('moved');
    await runPass(context, report, true);
    await verifyOwnerCounters(context);
    context.signal.throwIfAborted();
    if (context.sharedBlobs) await rejoinStores(target);
  } catch (error) {
    await reopenSource(context);
    throw error;
  }
  await target.ledger.setMigrationState('open');
  return true;
}

/** Opens the source again. Throws `MigrationError` if the target is already open. */
export async function cancelMigration({
  source,
  target,
  sharedBlobs,
}: Pick<MigrationContext, 'source' | 'target' | 'sharedBlobs'>): Promise<void> {
  const [sourceState, targetState] = [
    await source.ledger.migrationState(),
    await target.ledger.migrationState(),
  ];
  if (sourceState === 'open') return;
  if (sourceState === 'importing' || targetState === 'open') {
    throw new MigrationError(
      'The move is finished, and the new storage may contain newer files. To go back, move from the new storage to this one.',
    );
  }
  await reopenSource({ source, sharedBlobs });
}

/** Opens the source again. A shared store that was handed over to the target gets the id of the source back first. */
async function reopenSource({
  source: { ledger, blobs },
  sharedBlobs,
}: Pick<MigrationContext, 'source' | 'sharedBlobs'>): Promise<void> {
  const identity = await ledger.storeIdentity();
  if (sharedBlobs && identity && (await blobs.readIdentity()) !== identity.id)
    await blobs.writeIdentity(identity.id, { replace: true });
  await ledger.setMigrationState('open');
}

/** Copies all tables once. Returns the number of changed rows. */
async function runPass(context: MigrationContext, report: MigrationReport, exact: boolean): Promise<number> {
  const { uploads, pendingUploads } = await context.source.ledger.stats();
  context.observer.onPass(exact ? 'close' : 'copy', uploads + pendingUploads);
  let changed = 0;
  let done = 0;
  for (const table of COPIED_TABLES) {
    const onRows = (rows: number) => {
      done += rows;
      context.observer.onProgress(done, report.bytes);
    };
    changed += await syncTable(context, table, report, { exact, ...(table === 'uploads' && { onRows }) });
  }
  // With a shared blob store, the running server deletes the blobs.
  if (!context.sharedBlobs) await deletePendingBlobsOfTarget(context.target);
  return changed;
}

/** Waits until no upload is running or the time is up. Uploads that are then cut off can be sent again. */
async function drainUploads({ source, signal }: MigrationContext, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const receiving = await source.ledger.listUploads({ state: 'receiving', limit: 1 });
    await publishPendingBlobs(source);
    if (receiving.length === 0) return;
    await sleep(DRAIN_POLL_MS);
  }
}
