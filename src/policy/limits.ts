import type { Limits } from '../ledger/contract/ledger.ts';
import type { AccessRule } from './access.ts';
import type { Retention } from './retention.ts';

/** Everything that bounds one upload: the owner's rule, its purpose's limits and the whole service's. */
export interface UploadLimits {
  /** Bytes; null = none. */
  readonly maxFileSize: number | null;
  readonly quotas: Limits;
}

export function uploadLimitsFor(
  rule: AccessRule,
  retention: Retention,
  purpose: string,
  globalBytes: number | null,
): UploadLimits {
  const own = retention.purposes[purpose];
  const purposeBytes = own?.max_total_size ?? null;
  return {
    maxFileSize: smallest(rule.max_file_size, own?.max_file_size ?? null),
    quotas: {
      ownerBytes: rule.max_total_size,
      purposeBytes,
      bytesPer: rule.bytes_per,
      uploadsPer: rule.uploads_per,
      globalBytes,
    },
  };
}

/** The largest file that could ever be taken under these limits; null = any. Announced to clients. */
export function announcedMaxFileSize({ maxFileSize, quotas }: UploadLimits): number | null {
  return smallest(
    maxFileSize,
    quotas.ownerBytes,
    quotas.purposeBytes,
    quotas.bytesPer?.bytes ?? null,
    quotas.globalBytes,
  );
}

function smallest(...limits: readonly (number | null)[]): number | null {
  const set = limits.filter((limit) => limit !== null);
  return set.length === 0 ? null : Math.min(...set);
}
