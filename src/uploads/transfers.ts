import type { MemoryBudget, UploadBody } from './upload-request.ts';

/** An upload whose bytes flow through this process. */
export interface Transfer {
  readonly body: UploadBody;
  /** Resolves when nothing of it is left to do: stored, or cleaned up after. */
  readonly ended: Promise<void>;
  end(): void;
}

/** All uploads that flow through this process now. They share one budget of memory. */
export interface Transfers {
  begin(id: string, body: UploadBody): Transfer;
  /** The transfer that fills this upload. */
  get(id: string): Transfer | undefined;
  readonly memory: MemoryBudget;
  /** Uploads in flight and the bytes of them that have come. */
  inFlight(): { readonly uploads: number; readonly bytes: number };
}

export interface TransferOptions {
  /** Bytes that all transfers together may gather; twice that with what is just being written. */
  readonly memoryBytes?: number;
}

const MEMORY = 8 * 1024 * 1024;
/** Below this a write costs more than its bytes; above the other nothing is gained. */
const SMALLEST_BATCH = 32 * 1024;
const LARGEST_BATCH = 1024 * 1024;
/** More than any disk takes at a time, and few enough that what they hold is no matter. */
const TURNS = 32;

export function createTransfers({ memoryBytes = MEMORY }: TransferOptions = {}): Transfers {
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
    memory: createPace(memoryBytes, () => active.size),
    inFlight() {
      let bytes = 0;
      for (const { body } of active) bytes += body.received;
      return { uploads: active.size, bytes };
    },
  };
}

/** The fewer transfers there are, the more each gathers; when there are many, they take turns. */
function createPace(memory: number, active: () => number): MemoryBudget {
  const line: (() => void)[] = [];
  let inside = 0;
  return {
    batchSize: () => Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, memory / (active() || 1))),
    isOverBudget: () => memory / active() < 2 * SMALLEST_BATCH,
    acquire(run) {
      if (inside >= TURNS) {
        line.push(run);
        return;
      }
      inside += 1;
      run();
    },
    release() {
      const next = line.shift();
      if (next) next();
      else inside -= 1;
    },
  };
}
