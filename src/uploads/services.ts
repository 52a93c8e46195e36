import type { ThumbnailWidth } from '../base/blob-keys.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Upload } from '../base/upload-records.ts';
import type { BlobStore } from '../blobs/contract.ts';
import type { Ledger, OldPath } from '../ledger/contract/ledger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { AccessPolicy } from '../policy/access.ts';
import type { MoreTypes } from '../policy/media-type.ts';
import type { Retention } from '../policy/retention.ts';
import type { ContentChecks, ContentRules } from './content/content-checks.ts';
import type { SpaceReserve } from './disk/space-reserve.ts';
import type { FileCache } from './file-cache.ts';
import type { FileUrlBuilder, LinkNames } from './links.ts';
import type { RefusalLog } from './refusals/refusal-log.ts';
import type { Transfers } from './transfers.ts';

/** The configured rules for uploads. A reload replaces the whole object. */
export interface UploadRules {
  readonly access: AccessPolicy;
  readonly retention: Retention;
  /** Bytes of all owners together; null = no limit. */
  readonly globalQuota: number | null;
  /** Milliseconds after which a slot can no longer be used. */
  readonly slotTimeout: number;
  readonly typeMismatch: 'refuse' | 'accept';
  /** `retention.trash`: milliseconds for which a removed file can be restored; 0 or absent = not at all. */
  readonly trashMs?: number;
  /** Absent: files are neither hashed nor scanned. */
  readonly content?: ContentRules;
  /** `uploads.types`. */
  readonly types?: MoreTypes;
  /** Builds download links; by default `getUrl`, which points at Porter itself. */
  readonly fileUrlBuilder?: FileUrlBuilder;
  /** `slot_api.names`: the form of the names in links of the slot API. */
  readonly slotApiNames?: LinkNames;
  /** JIDs named in the config, by their hex SHA-1. ejabberd's links contain only this hash. */
  readonly jidsBySha1?: ReadonlyMap<string, string>;
  /** Paths at which links signed by XMPP servers begin. Used in addition to those of `Ledger.listOldPaths`. */
  readonly signedPaths?: readonly OldPath[];
}

/** Deletes pending blobs in the background, so that requests do not wait: for example slot requests that evict files. */
export interface BlobDeleter {
  /** Starts a run, or one more run after the current one. */
  wake(): void;
  /** Resolves when all runs have ended. */
  idle(): Promise<void>;
}

/** Makes, keeps and finds thumbnails of pictures (docs/thumbnails.md). */
export interface Thumbnails {
  /** Loads the decoder. Logs the reason and turns thumbnails off if that is impossible. Resolves with whether they are on. */
  start(): Promise<boolean>;
  /** Returns false if this process cannot make thumbnails. */
  isOn(): boolean;
  /** Returns whether a thumbnail of this upload may exist. Only its bytes show whether it can be made. */
  mayExist(upload: Upload): boolean;
  /**
   * Returns the WebP thumbnail of a stored upload, and makes it if needed. Undefined if there can be none: the file is no picture, is
   * encrypted or damaged, or is too large. Throws `Refusal`: `busy` if too many wait, `unavailable` if the decoder or the file
   * cannot be used now, `not_found` if the bytes are missing. `signal` ends the wait.
   */
  find(upload: Upload, width: ThumbnailWidth, signal?: AbortSignal): Promise<Buffer | undefined>;
  /** Ends the decoding process. */
  close(): void;
}

/** The services that the upload use cases share. A function takes those it uses: `Pick<UploadServices, …>`. */
export interface UploadServices {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly rules: () => UploadRules;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Identifies this process in claims and heartbeats. */
  readonly instance: string;
  /** Uploads in progress in this process; all endpoints share their memory budget. */
  readonly transfers: Transfers;
  readonly fileCache: FileCache;
  /** Deletes the bytes of removed uploads in the background. */
  readonly blobDeleter: BlobDeleter;
  /** Refuses uploads when a disk is nearly full. */
  readonly spaceReserve: SpaceReserve;
  /** Hashes and scans of new files. */
  readonly content: ContentChecks;
  /** Gets every refused slot request and PUT. */
  readonly refusals: RefusalLog;
  /** Absent with `thumbnails: false`. */
  readonly thumbnails?: Thumbnails | undefined;
  /** Milliseconds without data after which a newer attempt replaces an older one; default 3000. */
  readonly takeoverAfterMs?: number;
}
