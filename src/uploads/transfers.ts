import type { MemoryBudget, UploadBody } from './upload-request.ts';

/** An upload whose body this process is receiving. */
export interface Transfer {
  readonly body: UploadBody;
  /** Resolves once the upload is stored, or cleaned up after a failure. */
  readonly ended: Promise<void>;
  end(): void;
}

/** The uploads that this process is receiving. They share one memory budget. */
export interface Transfers {
  begin(id: string, body: UploadBody): Transfer;
  /** Returns the transfer that writes this upload. */
  get(id: string): Transfer | undefined;
  readonly memory: MemoryBudget;
  /** Uploads that are stored without a claim (receive/store-directly.ts). */
  readonly direct: DirectUploads;
  /** Returns the number of uploads in progress and the bytes received for them. */
  inFlight(): { readonly uploads: number; readonly bytes: number };
}

export interface DirectUploads {
  /** False for a while after a failure, so that uploads are refused before their bytes are written. */
  isAllowed(): boolean;
  /** Records that a store has failed, so that a file without an upload may be left. */
  fail(): void;
  /** True if `fail` was called. */
  readonly mayHaveLeftFiles: boolean;
}

export interface TransferOptions {
  /** Bytes that all transfers together may collect. The batches being written can add as much again. */
  readonly memoryBytes?: number;
}

const DEFAULT_MEMORY = 8 * 1024 * 1024;
/** Smaller batches cost more per write than their bytes do; larger ones gain nothing. */
const SMALLEST_BATCH = 32 * 1024;
const LARGEST_BATCH = 1024 * 1024;
/** Maximum number of turns at a time: more than a disk writes in parallel, and few enough that their memory does not matter. */
const MAX_TURNS = 32;
/** Milliseconds after a failure during which every upload takes a claim. */
const CLAIM_AFTER_FAILURE_MS = 10_000;

export function createTransfers({ memoryBytes = DEFAULT_MEMORY }: TransferOptions = {}): Transfers {
  const active = new Set<Transfer>();
  const byId = new Map<string, Transfer>();

  return {
    begin(id, body) {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const transfer: Transfer = {
        body,
        ended,
        end() {
          active.delete(transfer);
          if (byId.get(id) === transfer) byId.delete(id);
          resolve();
        },
      };
      active.add(transfer);
      byId.set(id, transfer);
      return transfer;
    },
    get: (id) => byId.get(id),
    memory: createMemoryBudget(memoryBytes, () => active.size),
    direct: createDirectUploads(),
    inFlight() {
      let bytes = 0;
      for (const { body } of active) bytes += body.received;
      return { uploads: active.size, bytes };
    },
  };
}

function createDirectUploads(): DirectUploads {
  let failedAt = Number.NEGATIVE_INFINITY;
  return {
    isAllowed: () => performance.now() - failedAt >= CLAIM_AFTER_FAILURE_MS,
    fail() {
      failedAt = performance.now();
    },
    get mayHaveLeftFiles() {
      return failedAt !== Number.NEGATIVE_INFINITY;
    },
  };
}

/** Gives each transfer an equal share. Once shares get too small, transfers take turns. */
function createMemoryBudget(memory: number, countActive: () => number): MemoryBudget {
  const waiting: (() => void)[] = [];
  let turns = 0;
  return {
    batchSize: () => Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, memory / (countActive() || 1))),
    isOverBudget: () => memory / countActive() < 2 * SMALLEST_BATCH,
    acquire(run) {
      if (turns >= MAX_TURNS) {
        waiting.push(run);
        return;
      }
      turns += 1;
      run();
    },
    release() {
      const next = waiting.shift();
      // The next transfer takes over this turn, so `turns` stays as it is.
      if (next) next();
      else turns -= 1;
    },
  };
}
