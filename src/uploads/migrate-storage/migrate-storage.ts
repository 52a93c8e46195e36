import { setTimeout as sleep } from 'node:timers/promises';
import { COPIED_TABLES } from '../../ledger/contract/ledger.ts';
import { deletePendingBlobs } from '../remove.ts';
import { type MigrationContext, MigrationError, type MigrationReport, prepareTarget } from './prepare.ts';
import { syncTable } from './sync-table.ts';
import { compareAllFiles, verifyFiles, verifyOwnerCounters } from './verify.ts';

/** What is left when a pass found no more than this many changes is carried while the old place is closed. */
const SMALL = 200;
/** A service that changes faster than it is copied is not waited for for ever. */
const PASSES = 10;
/** How often it is looked whether uploads under way have ended. */
const LOOK_EVERY = 100;

export interface MigrationOptions {
  /** Compares every byte, too. */
  readonly compareBytes: boolean;
}

export interface FinishMigrationOptions extends MigrationOptions {
  /** Milliseconds that uploads under way are given to end. */
  readonly drainTimeoutMs: number;
}

/**
 * Makes the new place a copy of the old one, which goes on working meanwhile. What comes in the meantime is carried by
 * the next pass, or the next run; so is the rest after a kill. False where the move was finished before.
 */
export async function copyStorage(
  deps: MigrationContext,
  report: MigrationReport,
  options: MigrationOptions,
): Promise<boolean> {
  if ((await prepareTarget(deps)) === 'done') return false;
  for (let passes = 1; passes <= PASSES; passes += 1) {
    if ((await pass(deps, report, false)) <= SMALL) break;
  }
  await verifyFiles(deps, report);
  if (options.compareBytes) await compareAllFiles(deps, report);
  return true;
}

/**
 * The same, and then the switch: the old place takes nothing any more, the rest is carried, both are held against each
 * other, the new place opens. A failure opens the old one again.
 */
export async function finishMigration(
  deps: MigrationContext,
  report: MigrationReport,
  options: FinishMigrationOptions,
): Promise<boolean> {
  if (!(await copyStorage(deps, report, options))) return false;
  const { source, target } = deps;
  try {
    await source.ledger.setMigrationState('closing');
    await endOfTransfers(deps, options.drainTimeoutMs);
    await source.ledger.setMigrationState('moved');
    await pass(deps, report, true);
    await verifyOwnerCounters(deps);
    deps.signal.throwIfAborted();
  } catch (failure) {
    await source.ledger.setMigrationState('open');
    throw failure;
  }
  await target.ledger.setMigrationState('open');
  return true;
}

/** Opens the old place again, as long as the new one has not been opened. */
export async function cancelMigration({
  source,
  target,
}: Pick<MigrationContext, 'source' | 'target'>): Promise<void> {
  const [here, there] = [await source.ledger.migrationState(), await target.ledger.migrationState()];
  if (here === 'open') return;
  if (here === 'importing' || there === 'open') {
    throw new MigrationError(
      'The move is finished: the new place may have files of its own by now. To go back, move from there to here.',
    );
  }
  await source.ledger.setMigrationState('open');
}

/** One walk over everything. Returns how many rows differed. */
async function pass(deps: MigrationContext, report: MigrationReport, exact: boolean): Promise<number> {
  const { uploads, pendingUploads } = await deps.source.ledger.stats();
  deps.observer.onPass(exact ? 'close' : 'carry', uploads + pendingUploads);
  let changed = 0;
  let done = 0;
  for (const table of COPIED_TABLES) {
    const onRows = (rows: number) => {
      done += rows;
      deps.observer.onProgress(done, report.bytes);
    };
    changed += await syncTable(deps, table, report, { exact, ...(table === 'uploads' && { onRows }) });
  }
  // Where the store is one, the server beside us does it.
  if (!deps.sharedBlobs) await deletePendingBlobs(deps.target);
  return changed;
}

/** Until nothing is being received any more, or patience ends: then those that are left are cut off and can be tried again. */
async function endOfTransfers({ source, signal }: MigrationContext, patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const underWay = await source.ledger.listUploads({ state: 'receiving', limit: 1 });
    if (underWay.length === 0) return;
    await sleep(LOOK_EVERY);
  }
}
