import type { IncomingBody, Pace } from './incoming.ts';

/** An upload whose bytes flow through this process. */
export interface Transfer {
  readonly body: IncomingBody;
  /** Resolves when nothing of it is left to do: stored, or cleaned up after. */
  readonly ended: Promise<void>;
  end(): void;
}

/** All uploads that flow through this process now. They share one budget of memory. */
export interface Transfers {
  begin(id: string, body: IncomingBody): Transfer;
  /** The transfer that fills this upload. */
  of(id: string): Transfer | undefined;
  readonly pace: Pace;
  /** Uploads in flight and the bytes of them that have come. */
  inFlight(): { readonly uploads: number; readonly bytes: number };
}

export interface TransferOptions {
  /** Bytes that all transfers together may gather; twice that with what is just being written. */
  readonly memory?: number;
}

const MEMORY = 8 * 1024 * 1024;
/** Below this a write costs more than its bytes; above the other nothing is gained. */
const SMALLEST_BATCH = 32 * 1024;
const LARGEST_BATCH = 1024 * 1024;
/** More than any disk takes at a time, and few enough that what they hold is no matter. */
const TURNS = 32;

export function createTransfers({ memory = MEMORY }: TransferOptions = {}): Transfers {
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
    of: (id) => byId.get(id),
    pace: createPace(memory, () => active.size),
    inFlight() {
      let bytes = 0;
      for (const { body } of active) bytes += body.received;
      return { uploads: active.size, bytes };
    },
  };
}

/** The fewer transfers there are, the more each gathers; when there are many, they take turns. */
function createPace(memory: number, active: () => number): Pace {
  const line: (() => void)[] = [];
  let inside = 0;
  return {
    batchSize: () => Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, memory / (active() || 1))),
    isCrowded: () => memory / active() < 2 * SMALLEST_BATCH,
    enter(run) {
      if (inside >= TURNS) {
        line.push(run);
        return;
      }
      inside += 1;
      run();
    },
    leave() {
      const next = line.shift();
      if (next) next();
      else inside -= 1;
    },
  };
}
