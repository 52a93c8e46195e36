import { announcedMaxFileSize, limitsFor } from '../policy/limits.ts';
import { purposeOf } from '../policy/retention.ts';
import type { UploadDeps } from './deps.ts';
import { admit } from './grant.ts';

/** Bytes; null = any. */
export interface UploadBounds {
  readonly file: number | null;
  /** All files together. */
  readonly total: number | null;
}

/** The most that this JID could ever upload, whatever is there now. `denied` where it may not upload at all. */
export function boundsFor(deps: UploadDeps, jid: string): UploadBounds {
  const { rule } = admit(deps, jid);
  const { retention, globalQuota } = deps.rules();
  const limits = limitsFor(rule, retention, purposeOf(retention, '', undefined), globalQuota);
  return {
    file: announcedMaxFileSize(limits),
    total: announcedMaxFileSize({ ...limits, maxFileSize: null }),
  };
}
