import type { Limits } from '../src/ledger/contract/ledger.ts';

/** Limits with every kind of quota except the quota of a purpose. None of them is ever exceeded. */
export const limits: Limits = {
  ownerBytes: 2 ** 50,
  ownerFiles: 2 ** 50,
  purposeBytes: null,
  bytesPer: { period: 3_600_000, bytes: 2 ** 50 },
  uploadsPer: { period: 3_600_000, uploads: 1e9 },
  globalBytes: 2 ** 52,
};
