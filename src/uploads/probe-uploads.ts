import { randomId, toPutKey } from '../base/ids.ts';
import { allowAllRule } from '../policy/access.ts';
import { type GrantedSlot, grantSlot } from './grant-slot.ts';
import { eraseOwner, removeUploads } from './remove.ts';
import type { UploadServices } from './services.ts';

/** Owners of uploads that only try the system out. RFC 6761: nobody can have an account there. */
const DOMAIN = 'doctor.invalid';
/** What a killed checkup leaves behind is swept away after it. */
const LIFETIME_MS = 15 * 60_000;
const SLOT_MS = 5 * 60_000;

/** Uploads of nobody, for one look at the running system. */
export interface ProbeUploads {
  /** A slot that a PUT may fill, past all rules and quotas of users. */
  requestSlot(file: { name: string; size: number; type: string }): Promise<GrantedSlot>;
  /** Has the running server begun to take, or taken, the bytes of this slot? */
  getState(id: string): Promise<'waiting' | 'receiving' | 'stored' | 'gone'>;
  remove(id: string): Promise<void>;
  /** Removes all that is left, and every name of it. */
  close(): Promise<void>;
}

export function createProbeUploads(deps: UploadServices): ProbeUploads {
  const owner = `${randomId()}@${DOMAIN}`;
  const rules = {
    ...deps.rules(),
    access: { decide: () => ({ allowed: true, index: 0, rule: allowAllRule }) as const },
    globalQuota: null,
    slotTimeout: SLOT_MS,
  };
  const own: UploadServices = { ...deps, rules: () => rules };
  return {
    requestSlot: (file) =>
      grantSlot(own, { endpoint: 'admin', jid: owner, ...file, expiresAt: deps.clock() + LIFETIME_MS }),
    async getState(id) {
      const upload = await deps.ledger.find(id);
      if (upload === undefined) return 'gone';
      return upload.state === 'issued' ? 'waiting' : upload.state;
    },
    async remove(id) {
      await removeUploads(own, { ids: [id], reason: 'deleted', detail: 'a trial of porter doctor' });
    },
    async close() {
      await eraseOwner(own, owner);
    },
  };
}

/** Does this PUT token belong to a checkup? Then whoever has it may know how the request arrived. */
export async function isProbeToken(
  { ledger }: Pick<UploadServices, 'ledger'>,
  token: string,
): Promise<boolean> {
  const upload = await ledger.findByPutKey(toPutKey(token));
  return upload?.owner.endsWith(`@${DOMAIN}`) ?? false;
}
