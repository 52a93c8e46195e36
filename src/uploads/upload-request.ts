import type { Endpoint } from '../base/upload-records.ts';
import type { ClaimParams } from '../ledger/contract/ledger.ts';
import type { SignedUpload } from './claim-signed.ts';
import type { UploadServices } from './services.ts';
import type { Transfers } from './transfers.ts';

export interface ReceiveServices extends UploadServices {
  /** `createTransfers()`, one for the process: uploads of all doors share its memory. */
  readonly transfers: Transfers;
  /** Milliseconds of silence after which a newer attempt at the same upload takes the place of an older one. */
  readonly takeoverAfterMs?: number;
}

/** Somebody fills a slot: how it is found, and what its sender says of the bytes. */
export interface UploadRequest {
  readonly by: ClaimParams['by'];
  /** Where it came in; a slot that is found counts at its own door. */
  readonly endpoint: Endpoint;
  /** Bytes; null where the sender does not know yet. */
  readonly size: number | null;
  /** Null or empty where none was said. */
  readonly type: string | null;
  readonly body: UploadBody;
  /** Where an XMPP server has granted the upload, and `by` is its locator: the PUT reserves it too. */
  readonly signed?: SignedUpload;
}

/** How bodies flow, so that all of them together keep to their memory. */
export interface MemoryBudget {
  /** Bytes that one body gathers before it hands them over. */
  batchSize(): number;
  /** Are there so many that each hands over what it has only when it is its turn? */
  isOverBudget(): boolean;
  /** Calls `run` when it is the caller's turn, in the order of asking; every turn is ended by one `leave`. */
  acquire(run: () => void): void;
  release(): void;
}

/** Looks at the count of bytes as they come and once at their end; an error ends the body. */
export type SizeCheck = (received: number, ended: boolean) => Error | undefined;

/**
 * The bytes of an upload as they come in, whatever brings them. The use cases pull; the carrier (a request, a
 * part of a form) holds its sender back meanwhile.
 */
export interface UploadBody {
  /** All checks have passed: the sender, if it waits for that, may go on. Called at most once. */
  accept(): void;
  /**
   * The bytes in batches of about `batchSize` bytes, the last one smaller; called at most once. A batch is the
   * caller's until it asks for the next, which is gathered meanwhile. Fails with a `Refusal` where the sender breaks off or
   * stands still, with the error of the check, or with the reason given to `abort`.
   */
  batches(pace: MemoryBudget, check: SizeCheck): AsyncIterable<readonly Uint8Array[]>;
  /** Ends the body: `batches` fails with this reason. */
  abort(reason: Error): void;
  /** Bytes that have come so far. */
  readonly received: number;
  /** Has the last byte come? */
  readonly isComplete: boolean;
  /** Milliseconds for which the sender has been silent; 0 while it is being held back. */
  idleFor(): number;
}
