import { setTimeout as sleep } from 'node:timers/promises';
import { CARRIED } from '../../ledger/contract.ts';
import { buryDoomed } from '../remove.ts';
import { checkFiles, checkOwners, compareFiles } from './check.ts';
import { type MoveDeps, MoveFailure, type MoveReport, prepare } from './places.ts';
import { walk } from './walk.ts';

/** What is left when a pass found no more than this many changes is carried while the old place is closed. */
const SMALL = 200;
/** A service that changes faster than it is copied is not waited for for ever. */
const PASSES = 10;
/** How often it is looked whether uploads under way have ended. */
const LOOK_EVERY = 100;

export interface MoveOptions {
  /** Compares every byte, too. */
  readonly compare: boolean;
}

export interface FinishOptions extends MoveOptions {
  /** Milliseconds that uploads under way are given to end. */
  readonly patience: number;
}

/**
 * Makes the new place a copy of the old one, which goes on working meanwhile. What comes in the meantime is carried by
 * the next pass, or the next run; so is the rest after a kill. False where the move was finished before.
 */
export async function copy(deps: MoveDeps, report: MoveReport, options: MoveOptions): Promise<boolean> {
  if ((await prepare(deps)) === 'done') return false;
  for (let passes = 1; passes <= PASSES; passes += 1) {
    if ((await pass(deps, report, false)) <= SMALL) break;
  }
  await checkFiles(deps, report);
  if (options.compare) await compareFiles(deps, report);
  return true;
}

/**
 * The same, and then the switch: the old place takes nothing any more, the rest is carried, both are held against each
 * other, the new place opens. A failure opens the old one again.
 */
export async function finish(deps: MoveDeps, report: MoveReport, options: FinishOptions): Promise<boolean> {
  if (!(await copy(deps, report, options))) return false;
  const { from, to } = deps;
  try {
    await from.ledger.stand('closing');
    await endOfTransfers(deps, options.patience);
    await from.ledger.stand('away');
    await pass(deps, report, true);
    await checkOwners(deps);
    deps.signal.throwIfAborted();
  } catch (failure) {
    await from.ledger.stand('open');
    throw failure;
  }
  await to.ledger.stand('open');
  return true;
}

/** Opens the old place again, as long as the new one has not been opened. */
export async function cancel({ from, to }: Pick<MoveDeps, 'from' | 'to'>): Promise<void> {
  const [here, there] = [await from.ledger.standing(), await to.ledger.standing()];
  if (here === 'open') return;
  if (here === 'arriving' || there === 'open') {
    throw new MoveFailure(
      'The move is finished: the new place may have files of its own by now. To go back, move from there to here.',
    );
  }
  await from.ledger.stand('open');
}

/** One walk over everything. Returns how many rows differed. */
async function pass(deps: MoveDeps, report: MoveReport, exact: boolean): Promise<number> {
  const { uploads, pendingUploads } = await deps.from.ledger.stats();
  deps.tell.pass(exact ? 'close' : 'carry', uploads + pendingUploads);
  let changed = 0;
  let done = 0;
  for (const table of CARRIED) {
    const seen = (rows: number) => {
      done += rows;
      deps.tell.progress(done, report.bytes);
    };
    changed += await walk(deps, table, report, { exact, ...(table === 'uploads' && { seen }) });
  }
  // Where the store is one, the server beside us does it.
  if (!deps.oneStore) await buryDoomed(deps.to);
  return changed;
}

/** Until nothing is being received any more, or patience ends: then those that are left are cut off and can be tried again. */
async function endOfTransfers({ from, signal }: MoveDeps, patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const underWay = await from.ledger.listUploads({ state: 'receiving', limit: 1 });
    if (underWay.length === 0) return;
    await sleep(LOOK_EVERY);
  }
}
