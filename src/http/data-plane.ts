import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UploadDeps } from '../uploads/deps.ts';
import type { HotFiles } from '../uploads/hot.ts';
import type { Transfers } from '../uploads/transfers.ts';

/** What a reload may change. */
export interface DataPlaneSettings {
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeout: number;
  /** `downloads.inline_types`. */
  readonly inlineTypes: readonly string[];
  /** `downloads.headers`: they replace ours of the same name. */
  readonly downloadHeaders: Readonly<Record<string, string>>;
}

export interface DataPlaneDeps extends UploadDeps {
  /** Asked at every request; the same object as long as nothing has changed. */
  readonly settings: () => DataPlaneSettings;
  /** `createTransfers()`, one for the process: uploads of all doors share its memory. */
  readonly transfers: Transfers;
  /** `createHotFiles()`, one for the process: tell it of every removal (`forget`). */
  readonly hot: HotFiles;
}

/** PUT, GET, HEAD and OPTIONS of files, on `node:http` itself. */
export interface DataPlane {
  /** Is this path (of `req.url`, with or without its query) one of ours? */
  owns(path: string): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** For `checkContinue`: the client waits for `100 Continue`, which nobody has answered yet. */
  handleContinue(req: IncomingMessage, res: ServerResponse): void;
  /**
   * Takes no more PUTs (503) and resolves when every transfer in flight has ended and cleaned up after itself.
   * A caller who can wait no longer closes the connections; what is left then ends at once. May be called again.
   */
  close(): Promise<void>;
  /** Uploads and downloads that flow now. */
  inFlight(): number;
}
