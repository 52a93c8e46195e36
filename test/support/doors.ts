import { createLog } from '../../src/base/log.ts';
import { createMeter } from '../../src/base/meter.ts';
import type { Blobs } from '../../src/blobs/contract.ts';
import type { Ledger, Reservation, Reserved } from '../../src/ledger/contract.ts';
import { type AccessRule, compileAccess } from '../../src/policy/access.ts';
import type { UploadDeps, UploadRules } from '../../src/uploads/deps.ts';

/** Rules that keep everything for ever and let the given rules decide who may upload. */
export function uploadRules(access: readonly AccessRule[], more: Partial<UploadRules> = {}): UploadRules {
  return {
    access: compileAccess(access),
    retention: { max_age: null, soft_quota: 0, purposes: {}, name_prefixes: {} },
    globalQuota: null,
    slotTimeout: 360_000,
    typeMismatch: 'refuse',
    ...more,
  };
}

/**
 * What the doors need in order to grant slots, over a ledger that only remembers what was reserved: for tests
 * of what a door says. `outcome` decides what the ledger answers.
 */
export function grantingDeps(
  rules: UploadRules,
  outcome: (reservation: Reservation) => Reserved | Promise<Reserved> = () => ({ granted: true }),
): { deps: UploadDeps; reserved: Reservation[] } {
  const reserved: Reservation[] = [];
  const ledger: Pick<Ledger, 'reserve'> = {
    async reserve(reservation) {
      reserved.push(reservation);
      return outcome(reservation);
    },
  };
  const deps: UploadDeps = {
    ledger: ledger as Ledger,
    blobs: {} as Blobs,
    rules: () => rules,
    clock: Date.now,
    log: createLog({ level: 'silent', format: 'json' }),
    meter: createMeter(),
    instance: 'test',
  };
  return { deps, reserved };
}
