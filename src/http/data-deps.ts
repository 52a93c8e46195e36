import type { HotFiles } from '../uploads/hot.ts';
import type { ReceiveDeps } from '../uploads/incoming.ts';
import type { Delivery } from './delivery.ts';
import type { FileDoor } from './file-door.ts';
import type { Links } from './presigned.ts';

/** What a reload may change. */
export interface DataPlaneSettings {
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeout: number;
  /** `downloads.inline_types`. */
  readonly inlineTypes: readonly string[];
  /** `downloads.headers`: they replace ours of the same name. */
  readonly downloadHeaders: Readonly<Record<string, string>>;
}

export interface DataPlaneDeps extends ReceiveDeps {
  /** Asked at every request; the same object as long as nothing has changed. */
  readonly settings: () => DataPlaneSettings;
  /** `createHotFiles()`, one for the process: tell it of every removal (`forget`). */
  readonly hot: HotFiles;
  /** Who sends the bytes of files, where it is not Porter. */
  readonly delivery?: Delivery | undefined;
  /** Where files can be fetched from their store, past Porter. */
  readonly links?: Links | undefined;
  /** Doors besides those of our own slots. */
  readonly doors?: readonly FileDoor[];
}
