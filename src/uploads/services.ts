import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Upload } from '../base/upload-records.ts';
import type { BlobStore } from '../blobs/contract.ts';
import type { Ledger, OldPath } from '../ledger/contract/ledger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { AccessPolicy } from '../policy/access.ts';
import type { Retention } from '../policy/retention.ts';
import type { FileUrlBuilder } from './links.ts';

/** The rules of the house as they are at this moment; a reload replaces them whole. */
export interface UploadRules {
  readonly access: AccessPolicy;
  readonly retention: Retention;
  /** Bytes of all owners together; null = no limit. */
  readonly globalQuota: number | null;
  /** Milliseconds within which a slot's PUT must start. */
  readonly slotTimeout: number;
  readonly typeMismatch: 'refuse' | 'accept';
  /** How files are fetched; from Porter where nothing else is said. */
  readonly fileUrlBuilder?: FileUrlBuilder;
  /** JIDs that the config names, by the hex SHA-1 by which ejabberd's links know them. */
  readonly jidsBySha1?: ReadonlyMap<string, string>;
  /** Where links begin that XMPP servers make, as `oldPaths` of the ledger has those of earlier services. */
  readonly signedPaths?: readonly OldPath[];
}

/** What every use case of uploads works with; built once by `server/start.ts` and by the commands. */
export interface UploadServices {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly rules: () => UploadRules;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Names this process in claims and heartbeats. */
  readonly instance: string;
  /** Told of what was just removed on purpose, so that no memory of this process serves it any more. */
  readonly onRemoved?: (removed: readonly Upload[]) => void;
}
