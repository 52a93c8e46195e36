import { Refusal } from '../base/errors.ts';
import type { Endpoint, Upload } from '../base/upload-records.ts';
import type { ClaimParams } from '../ledger/contract/ledger.ts';
import { explainExtraBytes } from '../policy/file-size.ts';
import { isTypeMismatch } from '../policy/media-type.ts';

/** A request that uploads a file: how its slot is found, and what the sender declares about the body. */
export interface UploadRequest {
  readonly by: ClaimParams['by'];
  /** Where the request came in. Metrics and logs use the slot's own endpoint once the slot is known. */
  readonly endpoint: Endpoint;
  /** Bytes; null if the sender does not know yet. */
  readonly size: number | null;
  /** Null or empty if the sender declares none. */
  readonly type: string | null;
  readonly body: UploadBody;
  /** A local file with all bytes of the body. The store links it instead of reading the body, if it can. */
  readonly file?: string;
  /** Set if an XMPP server granted the upload. Then `by` is its locator, and this request also reserves it. */
  readonly signed?: SignedUpload;
  /** A test of porter doctor, whose refusal is neither logged nor remembered. */
  readonly isProbe?: boolean;
}

/** Limits the memory that all bodies in progress hold together. */
export interface MemoryBudget {
  /** Bytes that one body collects before it hands them over. */
  batchSize(): number;
  /** True if there are so many bodies that each needs a turn (`acquire`) before it hands a batch over. */
  isOverBudget(): boolean;
  /** Calls `run` when the caller's turn comes, first come, first served. Every turn ends with one `release`. */
  acquire(run: () => void): void;
  release(): void;
}

/** Called with the byte count after each chunk and once at the end. A returned error ends the body. */
export type SizeCheck = (received: number, ended: boolean) => Error | undefined;

/**
 * The bytes of an upload as they arrive. The use cases read them. Until they do, the carrier (an HTTP request or a part of a form)
 * applies backpressure to its sender.
 */
export interface UploadBody {
  /** Reports that all checks have passed. Sends `100 Continue` if the sender waits for it. Called at most once. */
  accept(): void;
  /**
   * Yields the bytes in batches of about `batchSize` bytes, the last one smaller. Called at most once. A batch
   * belongs to the caller until it asks for the next one, which is collected meanwhile. Fails with a `Refusal` if
   * the sender disconnects or stalls, with the error of the check, or with the reason passed to `abort`.
   */
  batches(budget: MemoryBudget, check: SizeCheck): AsyncIterable<readonly Uint8Array[]>;
  /**
   * Returns the bytes if the whole body, of at most `limit` bytes, has arrived by now; otherwise undefined. `batches` yields them
   * again. Absent if the carrier does not know.
   */
  takeWhole?(limit: number): Promise<readonly Uint8Array[] | undefined>;
  /** Ends the body: `batches` fails with this reason. */
  abort(reason: Error): void;
  /** Bytes received so far. */
  readonly received: number;
  /** True once the last byte has arrived. */
  readonly isComplete: boolean;
  /** Milliseconds since the sender last sent anything; 0 while it is being held back. */
  idleFor(): number;
}

/**
 * The uploader as far as the XMPP server names it: a JID; the hex SHA-1 of a JID, whose access rule and quotas
 * apply if Porter knows the JID; or anonymous.
 */
export type Uploader = { readonly jid: string } | { readonly sha1: string } | 'anonymous';

/** An upload granted by an XMPP server, or whose path its client has chosen. Porter learns about it only with its PUT. */
export interface SignedUpload {
  readonly locator: string;
  readonly uploader: Uploader;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The media type to serve the file with. */
  readonly type: string;
  /** The endpoint's limit for one file, in bytes; null = any size. */
  readonly maxFileSize: number | null;
  /** The endpoint's limit for all files of a user whose JID is unknown, in bytes; null = any size. */
  readonly maxTotalSize: number | null;
  readonly maxFiles: number | null;
  /** The PUT must start before this time; ms since 1970. */
  readonly deadline: number;
  /** Milliseconds after storing during which the same bytes may be sent again; null = until the deadline. */
  readonly repeatForMs: number | null;
  /** When the file expires, ms since 1970; null = as `retention` says. */
  readonly expiresAt: number | null;
  /** True if the locator may be used again after its file was removed. */
  readonly reusesLocator?: boolean;
}

type SizeAndType = Pick<Upload, 'size' | 'type'>;

/** Throws a `Refusal` if the declared size or type does not fit the slot. Called before the body is read. */
export function checkDeclaredBody(
  { typeMismatch }: { readonly typeMismatch: 'refuse' | 'accept' },
  slot: SizeAndType,
  declared: Pick<UploadRequest, 'size' | 'type'>,
): void {
  if (declared.size !== null && declared.size !== slot.size) throw sizeMismatch(slot, declared.size);
  if (typeMismatch === 'refuse' && isTypeMismatch(declared.type, slot.type)) {
    throw new Refusal('type_mismatch', {
      text: `The Content-Type is ${declared.type}; the slot was requested for ${slot.type}.`,
    });
  }
}

/** Requires exactly the bytes of the slot. Ends the body at the first byte too many, or at its end if too short. */
export function exactSize(slot: Pick<Upload, 'size'>): SizeCheck {
  return (received, ended) => {
    if (received > slot.size) return sizeMismatch(slot, `more than ${slot.size}`);
    return ended && received < slot.size ? sizeMismatch(slot, received) : undefined;
  };
}

/** Returns the refusal of a body whose length does not fit the slot. `size`: bytes, or words. */
export function sizeMismatch(slot: Pick<Upload, 'size'>, size: number | string): Refusal {
  const hint = typeof size === 'number' ? explainExtraBytes(size - slot.size) : '';
  return new Refusal('size_mismatch', {
    text: `The body has ${size} bytes; the slot was requested for ${slot.size}.${hint}`,
  });
}
