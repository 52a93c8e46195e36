import { announcedMaxFileSize, uploadLimitsFor } from '../policy/limits.ts';
import { choosePurpose } from '../policy/retention.ts';
import { authorizeUploader } from './grant-slot.ts';
import type { UploadServices } from './services.ts';

/** Bytes; null = any. */
export interface UploadBounds {
  readonly file: number | null;
  /** All files together. */
  readonly total: number | null;
}

/** The most that this JID could ever upload, whatever is there now. `denied` where it may not upload at all. */
export function uploadBoundsFor(deps: UploadServices, jid: string): UploadBounds {
  const { rule } = authorizeUploader(deps, jid);
  const { retention, globalQuota } = deps.rules();
  const limits = uploadLimitsFor(rule, retention, choosePurpose(retention, '', undefined), globalQuota);
  return {
    file: announcedMaxFileSize(limits),
    total: announcedMaxFileSize({ ...limits, maxFileSize: null }),
  };
}
