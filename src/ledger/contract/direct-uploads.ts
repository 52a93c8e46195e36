import type { ContentFacts } from '../../base/upload-records.ts';
import type { Reservation, ReserveResult } from './uploads.ts';

/** Uploads whose small file is written before their only transaction. */
export interface DirectUploadStore {
  /**
   * Reserves and stores a complete file in one transaction. If the result is not granted, the key of the file becomes a pending
   * delete, except for the limit `batch`.
   */
  storeNew(params: StoreNewParams): Promise<StoreNewResult>;
  /**
   * Changes issued → stored with a complete file. Returns false, and the key of the file becomes a pending delete, if the slot is
   * not issued or past its deadline, has bytes of a resumable upload, or this process may not store without a claim
   * (`CompleteFile.instance`).
   */
  storeSlot(params: StoreSlotParams): Promise<boolean>;
}

/** A file that was written without a claim. It is durable. */
export interface CompleteFile {
  /** The key of the attempt that has written it, made with `directToken`. */
  readonly blob: string;
  /** As in `CommitParams`. */
  readonly publicBlob?: string;
  /** As in `CommitParams`. */
  readonly content?: ContentFacts;
  /**
   * Id of the process that has written it. The file is only stored while this process sends heartbeats: the bytes that it leaves
   * behind when it is killed are found by its id (`listDeadWriters`).
   */
  readonly instance: string;
}

export interface StoreNewParams extends Omit<Reservation, 'claim' | 'putKey'> {
  readonly file: CompleteFile;
}

/** `instance`: the process may not store without a claim (`CompleteFile.instance`). */
export type StoreNewResult =
  | ReserveResult
  | ({ readonly granted: false; readonly limit: 'instance' } & Pick<ReserveResult, 'removed'>);

export interface StoreSlotParams extends CompleteFile {
  readonly id: string;
  /** The reserved size, which is also the size of the file. */
  readonly size: number;
  readonly now: number;
}
