import type { UploadServices } from '../../uploads/services.ts';
import type { FileEndpoint } from './file-endpoint.ts';
import type { PresignedLinks } from './presigned-links.ts';
import type { WebServerDelivery } from './web-server-delivery.ts';

/** What a reload may change. */
export interface FileServerSettings {
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeoutMs: number;
  /** `downloads.inline_types`. */
  readonly inlineTypes: readonly string[];
  /** `downloads.headers`: they replace ours of the same name. */
  readonly downloadHeaders: Readonly<Record<string, string>>;
}

export interface FileServerServices extends UploadServices {
  /** Asked at every request; the same object as long as nothing has changed. */
  readonly settings: () => FileServerSettings;
  /** Who sends the bytes of files, where it is not Porter. */
  readonly delivery?: WebServerDelivery | undefined;
  /** Where files can be fetched from their store, past Porter. */
  readonly presignedLinks?: PresignedLinks | undefined;
  /** Doors besides those of our own slots. */
  readonly endpoints?: readonly FileEndpoint[];
}
