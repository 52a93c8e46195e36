import type { FailedDelete } from '../../ledger/contract/ledger.ts';

/** A difference between the ledger and the stored files. */
export type FsckFault =
  /** The blob of a stored upload is missing. Repair: removes the upload and records the reason. */
  | { readonly kind: 'missing'; readonly id: string; readonly owner: string; readonly name: string }
  /** The blob has another size than the ledger. Repair: moves the blob to lost+found, and removes the upload. */
  | ({
      readonly kind: 'wrong_size';
      readonly id: string;
      readonly owner: string;
      readonly name: string;
      readonly expected: number;
      readonly found: number;
    } & Moved)
  /** A blob, or part of an aborted write, without an upload. Repair: moves it to lost+found. */
  | ({
      readonly kind: 'orphan';
      readonly key: string;
      readonly size: number;
      /** Ms since 1970. */
      readonly modifiedAt: number;
    } & Moved)
  /** An owner's counters differ from the sum of its uploads. Repair: counts them again. */
  | { readonly kind: 'wrong_count'; readonly owner: string }
  /** The totals of the service differ from the sum of all owners. Repair: adds them up again. */
  | { readonly kind: 'wrong_totals' }
  /** The bytes of a removed upload cannot be deleted. Repair: tries again now. Remains a fault if the store refuses again. */
  | ({ readonly kind: 'undeletable' } & FailedDelete);

interface Moved {
  /** The name in the store that a repair has given the blob. Absent if the blob is where it was. */
  readonly movedTo?: string;
}
