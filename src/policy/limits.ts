import type { Limits } from '../ledger/contract/ledger.ts';
import type { AccessRule } from './access.ts';
import type { Retention } from './retention.ts';

/** All limits of one upload: of the owner's rule, of its purpose and of the whole service. */
export interface UploadLimits {
  /** Bytes; null for no limit. */
  readonly maxFileSize: number | null;
  readonly quotas: Limits;
}

export function uploadLimitsFor(
  rule: AccessRule,
  retention: Retention,
  purpose: string,
  globalBytes: number | null,
): UploadLimits {
  const purposeRule = retention.purposes[purpose];
  const purposeBytes = purposeRule?.max_total_size ?? null;
  return {
    maxFileSize: smallest(rule.max_file_size, purposeRule?.max_file_size ?? null),
    quotas: {
      ownerBytes: rule.max_total_size,
      purposeBytes,
      bytesPer: rule.bytes_per,
      uploadsPer: rule.uploads_per,
      globalBytes,
    },
  };
}

/** Returns the size of the largest file that these limits can permit, as announced to clients; null for no limit. */
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
  const given = limits.filter((limit) => limit !== null);
  return given.length === 0 ? null : Math.min(...given);
}
