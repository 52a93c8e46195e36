import type { Upload } from '../../base/upload-records.ts';
import type { ClaimParams } from './uploads.ts';

/**
 * Uploads whose bytes come in several requests (docs/resumable-uploads.md). The requests write to one blob, one after the other:
 *
 * ```
 *            claim, beginResumable      commit
 *   issued ──────────────────────▶ receiving ──────▶ stored
 *                       resume │  ▲ │ pause           the resource can still be found
 *                              │  │ ▼
 *                        issued, with bytes           expires at its deadline like a slot, with its bytes
 * ```
 *
 * A plain PUT of the same slot claims it as usual. Then the bytes become a pending delete, and the resource is gone.
 * A claim of a dead process loses no recorded bytes.
 */
export interface ResumableUploadStore {
  /**
   * Makes an upload that was claimed with `token` resumable and gives it another blob key, before the first byte is written.
   * Returns false if the claim is gone.
   */
  beginResumable(params: BeginResumableParams): Promise<boolean>;
  /** Changes issued → receiving for one request, and takes over the claim of a dead process. Keeps the bytes. */
  resume(params: ResumeParams): Promise<ResumeResult>;
  /** Records how many bytes are durable, and extends the deadline. The number never decreases. */
  recordReceived(params: ReceivedParams): Promise<AppendState>;
  /** Changes receiving → issued and keeps the bytes. Records as `recordReceived`. Returns false if the claim is gone. */
  pause(params: ReceivedParams): Promise<boolean>;
  /** Returns what the holder of a claim has to do. */
  appendState(claim: { readonly id: string; readonly token: string }): Promise<AppendState>;
  /** Asks the request that holds the claim to pause. */
  requestStop(resourceKey: string): Promise<void>;
  findResource(resourceKey: string): Promise<UploadResource | undefined>;
}

export interface BeginResumableParams {
  readonly id: string;
  readonly token: string;
  readonly resourceKey: string;
  /** Made with `resumableBlobKey`. */
  readonly blob: string;
}

export interface ResumeParams extends Omit<ClaimParams, 'by'> {
  readonly resourceKey: string;
}

export interface ReceivedParams {
  readonly id: string;
  readonly token: string;
  /** Bytes. */
  readonly received: number;
  /** Ms since 1970. An earlier time than the present deadline changes nothing. */
  readonly deadline: number;
}

/** `stop`: another request waits for the claim. `lost`: the claim is gone. */
export type AppendState = 'continue' | 'stop' | 'lost';

export interface UploadResource {
  readonly upload: Upload;
  /** Durable bytes; the size of a stored upload. */
  readonly received: number;
}

export type ResumeResult =
  | ({ readonly outcome: 'claimed' } & UploadResource)
  /** Another request writes to it. */
  | ({ readonly outcome: 'receiving' } & UploadResource)
  | ({ readonly outcome: 'stored' } & UploadResource)
  /** There is no such resource, or its deadline has passed. */
  | { readonly outcome: 'unknown' };
