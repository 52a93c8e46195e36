import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { Upload } from '../base/records.ts';
import type { Blobs } from '../blobs/contract.ts';
import type { Ledger, OldPath } from '../ledger/contract.ts';
import type { Access } from '../policy/access.ts';
import type { Retention } from '../policy/retention.ts';
import type { FileLink } from './links.ts';

/** The rules of the house as they are at this moment; a reload replaces them whole. */
export interface UploadRules {
  readonly access: Access;
  readonly retention: Retention;
  /** Bytes of all owners together; null = no limit. */
  readonly globalQuota: number | null;
  /** Milliseconds within which a slot's PUT must start. */
  readonly slotTimeout: number;
  readonly typeMismatch: 'refuse' | 'accept';
  /** How files are fetched; from Porter where nothing else is said. */
  readonly fileLink?: FileLink;
  /** JIDs that the config names, by the hex SHA-1 by which ejabberd's links know them. */
  readonly jidsBySha1?: ReadonlyMap<string, string>;
  /** Where links begin that XMPP servers make, as `oldPaths` of the ledger has those of earlier services. */
  readonly signedPaths?: readonly OldPath[];
}

/** What every use case of uploads works with; built once by `app.ts` and by the commands. */
export interface UploadDeps {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly rules: () => UploadRules;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Names this process in claims and heartbeats. */
  readonly instance: string;
  /** Told of what was just removed on purpose, so that no memory of this process serves it any more. */
  readonly onRemoved?: (removed: readonly Upload[]) => void;
}
