import { createLog } from '../../src/base/log.ts';
import type { BlobStore } from '../../src/blobs/contract.ts';
import type { Ledger, Reservation, ReserveResult } from '../../src/ledger/contract/ledger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { type AccessRule, compileAccessRules } from '../../src/policy/access.ts';
import { noReserve } from '../../src/uploads/disk/space-reserve.ts';
import { createFileCache } from '../../src/uploads/file-cache.ts';
import type { RefusedRequest } from '../../src/uploads/refusals/refusal-log.ts';
import type { UploadRules, UploadServices } from '../../src/uploads/services.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';
import type { ComponentServices } from '../../src/xmpp/component/components.ts';

/** The admin rules of a config without the section `web` and without messages. */
export const withoutAdmins: Pick<ComponentServices, 'adminRules' | 'isNoReply'> = {
  adminRules: () => ({ admins: [], moderators: [], contacts: [], keepRecords: null }),
  isNoReply: () => false,
};

type GrantingServices = UploadServices & typeof withoutAdmins;

/** Returns upload rules without limits on retention, with these access rules. */
export function uploadRules(access: readonly AccessRule[], more: Partial<UploadRules> = {}): UploadRules {
  return {
    access: compileAccessRules(access),
    retention: { max_age: null, soft_quota: 0, purposes: {}, name_prefixes: {} },
    globalQuota: null,
    slotTimeout: 360_000,
    typeMismatch: 'refuse',
    ...more,
  };
}

/**
 * Creates services that grant slots without storing anything: the ledger only records reservations. `outcome` returns the answer
 * of the ledger.
 */
export function createGrantingServices(
  rules: UploadRules,
  outcome: (reservation: Reservation) => ReserveResult | Promise<ReserveResult> = () => ({ granted: true }),
): { deps: GrantingServices; reserved: Reservation[]; refusals: RefusedRequest[] } {
  const reserved: Reservation[] = [];
  const refusals: RefusedRequest[] = [];
  const ledger: Pick<Ledger, 'reserve' | 'recordRefusals'> = {
    recordRefusals: async () => undefined,
    async reserve(reservation) {
      reserved.push(reservation);
      return outcome(reservation);
    },
  };
  const deps: GrantingServices = {
    ...withoutAdmins,
    ledger: ledger as Ledger,
    blobs: {} as BlobStore,
    rules: () => rules,
    clock: Date.now,
    log: createLog({ level: 'silent', format: 'json' }),
    metrics: createMetrics(),
    instance: 'test',
    transfers: createTransfers(),
    fileCache: createFileCache(),
    spaceReserve: noReserve,
    content: {
      needsHash: async () => false,
      hasBlockedHashes: async () => false,
      scan: async () => undefined,
    },
    refusals: { add: (refused) => void refusals.push(refused), flush: async () => undefined },
    blobDeleter: { wake: () => {}, idle: async () => {} },
  };
  return { deps, reserved, refusals };
}
