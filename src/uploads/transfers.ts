import type { IncomingBody } from './incoming.ts';

/** An upload whose bytes flow through this process. */
export interface Transfer {
  readonly id: string;
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
  /** Bytes that one transfer may gather before it writes: the fewer there are, the more each gets. */
  readonly batchSize: () => number;
  /** Uploads in flight and the bytes of them that have come. */
  inFlight(): { readonly uploads: number; readonly bytes: number };
}

export interface TransferOptions {
  /** Bytes that all transfers together may gather; twice that with what is just being written. */
  readonly memory?: number;
}

/** Below this a write costs more than its bytes; above it nothing is gained. */
const SMALLEST_BATCH = 64 * 1024;
const LARGEST_BATCH = 1024 * 1024;

export function createTransfers({ memory = 32 * 1024 * 1024 }: TransferOptions = {}): Transfers {
  const active = new Set<Transfer>();
  const byId = new Map<string, Transfer>();

  return {
    begin(id, body) {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const transfer: Transfer = {
        id,
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
    batchSize: () => Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, memory / (active.size || 1))),
    inFlight() {
      let bytes = 0;
      for (const { body } of active) bytes += body.received;
      return { uploads: active.size, bytes };
    },
  };
}
